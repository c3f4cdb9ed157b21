with

source as (

    select * from {{ source('learning', 'warehouse_builds') }}

),

renamed as (

    select
        ---------- identifiers
        build_id,
        ---------- what became of it
        is_whole,
        count_models,
        count_tests,
        failures,
        warnings,
        ---------- timestamps
        started_at,
        finished_at
    from source

)

select * from renamed
