with

source as (

    select * from {{ source('learning', 'runs') }}

),

renamed as (

    select
        ---------- identifiers
        run_id,
        version,
        parent_version,
        ---------- description
        kind,
        status,
        message,
        config,
        seed,
        count_new,
        count_old,
        ---------- timestamps
        started_at,
        finished_at
    from source

)

select * from renamed
