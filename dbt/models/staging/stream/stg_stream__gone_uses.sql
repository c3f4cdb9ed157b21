with

source as (

    select * from {{ source('stream', 'gone_uses') }}

),

renamed as (

    select
        ---------- what was used
        month_start_date,
        book_id,
        ---------- how often
        count_investigations,
        count_requests,
        count_unique_investigations,
        count_unique_requests
    from source

)

select * from renamed
