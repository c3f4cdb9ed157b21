with

runs as (

    select * from {{ ref('int_runs_ranked') }}

),

run_metrics as (

    select * from {{ ref('stg_learning__run_metrics') }}

)

select
    runs.run_id,
    run_metrics.name,
    run_metrics.step,
    run_metrics.value,
    runs.kind,
    runs.version,
    runs.status,
    runs.started_at,
    runs.recency
from run_metrics
inner join runs
    on run_metrics.run_id = runs.run_id
