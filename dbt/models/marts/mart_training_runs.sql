with

runs as (

    select * from {{ ref('stg_learning__runs') }}

),

run_metrics as (

    select * from {{ ref('stg_learning__run_metrics') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

losses as (

    select
        run_id,
        (array_agg(value order by step asc))[1] as first_loss,
        (array_agg(value order by step desc))[1] as last_loss
    from run_metrics
    where name in ('loss', 'loss/total')
    group by run_id

)

select
    runs.run_id,
    runs.kind,
    runs.version,
    runs.parent_version,
    runs.status,
    runs.message,
    runs.count_new,
    runs.count_old,
    losses.first_loss,
    losses.last_loss,
    models.first_promoted_at,
    runs.started_at,
    runs.finished_at,
    extract(epoch from runs.finished_at - runs.started_at)::double precision as duration_s
from runs
left join losses
    on runs.run_id = losses.run_id
left join models
    on runs.version = models.version
