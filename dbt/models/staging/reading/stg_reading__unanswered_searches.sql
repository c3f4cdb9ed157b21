with

source as (

    select * from {{ source('reading', 'unanswered_searches') }}

),

renamed as (

    select
        ---------- what was looked for
        folded,
        ---------- how often, and when
        count_searches,
        day as searched_date
    from source

)

select * from renamed
