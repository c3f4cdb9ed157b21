with

runs as (

    select * from {{ ref('stg_learning__runs') }}

),

run_metrics as (

    select * from {{ ref('stg_learning__run_metrics') }}

),

measured_runs as (

    select distinct run_id from run_metrics

),

ranked as (

    select
        runs.run_id,
        runs.kind,
        runs.version,
        runs.status,
        runs.started_at,
        runs.finished_at,
        row_number() over (
            partition by runs.kind
            order by runs.started_at desc, runs.run_id desc
        )::integer as recency
    from runs
    inner join measured_runs
        on runs.run_id = measured_runs.run_id

)

select * from ranked
