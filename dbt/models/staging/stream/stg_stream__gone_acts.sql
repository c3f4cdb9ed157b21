with

source as (

    select * from {{ source('stream', 'gone_acts') }}

),

renamed as (

    select
        ---------- what happened
        occurred_date,
        action,
        surface,
        nullif(book_id, 0) as book_id,
        count_acts
    from source

)

select * from renamed
