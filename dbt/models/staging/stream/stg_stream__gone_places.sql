with

source as (

    select * from {{ source('stream', 'gone_places') }}

),

renamed as (

    select
        ---------- how it was drawn
        slate_date,
        policy_version,
        arm,
        surface,
        position,
        source,
        book_id,
        is_fallback,
        ---------- what became of it
        outcome,
        count_places,
        count_opened,
        count_read,
        count_liked,
        count_skipped,
        count_answers,
        reward
    from source

)

select * from renamed
