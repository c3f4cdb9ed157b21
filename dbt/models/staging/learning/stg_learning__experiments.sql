with

source as (

    select * from {{ source('learning', 'experiments') }}

),

renamed as (

    select
        ---------- identifiers
        experiment_id,
        name as experiment_name,
        ---------- description
        note,
        started_by,
        stop_reason,
        ---------- timestamps
        started_at,
        stopped_at
    from source

)

select * from renamed
