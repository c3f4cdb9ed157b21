with

source as (

    select * from {{ source('stream', 'gone_readers') }}

),

renamed as (

    select
        ---------- group
        period_start_date,
        policy_version,
        dimension,
        value,
        is_visit,
        ---------- how many
        count_readers
    from source

)

select * from renamed
