with

source as (

    select * from {{ source('stream', 'assignments') }}

),

renamed as (

    select
        ---------- identifiers
        experiment_id,
        reader_key,
        arm,
        ---------- timestamps
        assigned_at
    from source

)

select * from renamed
