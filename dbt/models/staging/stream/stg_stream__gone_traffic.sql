with

source as (

    select * from {{ source('stream', 'gone_traffic') }}

),

renamed as (

    select
        ---------- whose
        occurred_date,
        traffic,
        ---------- how many
        count_acts,
        count_readers
    from source

)

select * from renamed
