with

source as (

    select * from {{ source('library', 'pins') }}

),

renamed as (

    select
        ---------- identifiers
        pin_id,
        book_id,
        ---------- what staff decided
        position::integer as position,
        note,
        ---------- timestamps
        starts_at,
        ends_at,
        created_at,
        removed_at
    from source

)

select * from renamed
