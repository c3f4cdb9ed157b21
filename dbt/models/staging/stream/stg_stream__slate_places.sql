with

source as (

    select * from {{ source('stream', 'slate_places') }}

),

renamed as (

    select
        ---------- identifiers
        slate_id,
        position::integer as position,
        book_id,
        ---------- how it was drawn
        propensity,
        source,
        reason,
        reason_book_id
    from source

)

select * from renamed
