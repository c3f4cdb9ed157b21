with

promotions as (

    select * from {{ ref('stg_learning__promotions') }}

),

ingest_runs as (

    select * from {{ ref('stg_library__ingest_runs') }}

),

experiments as (

    select * from {{ ref('stg_learning__experiments') }}

)

select
    promoted_at as happened_at,
    'promotion' as kind,
    version as label
from promotions
where kind != 'adapter'
union all
select
    finished_at as happened_at,
    'catalogue' as kind,
    count_inserted::text as label
from ingest_runs
where status = 'done' and count_inserted > 0
union all
select
    started_at as happened_at,
    'experiment' as kind,
    experiment_name as label
from experiments
