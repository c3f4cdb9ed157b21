{{ config(materialized='ephemeral') }}

with

interactions as (

    select * from {{ ref('stg_stream__interactions') }}

),

slates as (

    select * from {{ ref('stg_stream__slates') }}

),

-- The act must name the slate, come from its reader, be about a book in it and fall in the window.
matched as (

    select
        interactions.event_id,
        slates.slate_id,
        coalesce(interactions.position, array_position(slates.book_ids, interactions.book_id) - 1)
            as position,
        interactions.book_id,
        greatest(interactions.stored_at, slates.stored_at) as source_stored_at
    from interactions
    inner join slates
        on
            interactions.slate_id = slates.slate_id
            and interactions.reader_key = slates.reader_key
            and interactions.occurred_at >= slates.created_at
            and interactions.occurred_at
            < slates.created_at + interval '{{ var("attribution_minutes") }} minutes'
            and interactions.book_id = slates.book_ids[
                coalesce(interactions.position, array_position(slates.book_ids, interactions.book_id) - 1) + 1
            ]

)

select * from matched
