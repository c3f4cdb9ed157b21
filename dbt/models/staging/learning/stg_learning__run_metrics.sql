with

source as (

    select * from {{ source('learning', 'run_metrics') }}

),

renamed as (

    select
        ---------- identifiers
        run_id,
        step,
        name,
        ---------- measure
        value
    from source

)

select * from renamed
