with

interactions as (

    select * from {{ ref('stg_stream__interactions') }}

),

slates as (

    select * from {{ ref('stg_stream__slates') }}

),

slate_places as (

    select * from {{ ref('stg_stream__slate_places') }}

),

-- The act must name the slate, come from its reader, be about a book in it and fall in the window.
matched as (

    select
        interactions.event_id,
        slate_places.slate_id,
        slate_places.position,
        slate_places.book_id,
        greatest(interactions.stored_at, slates.stored_at) as source_stored_at,
        row_number() over (
            partition by interactions.event_id
            order by slate_places.position
        ) as match_number
    from interactions
    inner join slates
        on
            interactions.slate_id = slates.slate_id
            and interactions.reader_key = slates.reader_key
            and interactions.occurred_at >= slates.created_at
            and interactions.occurred_at
            < slates.created_at + interval '{{ var("attribution_minutes") }} minutes'
    inner join slate_places
        on
            interactions.slate_id = slate_places.slate_id
            and interactions.book_id = slate_places.book_id
            and coalesce(interactions.position, slate_places.position) = slate_places.position

),

first_match as (

    select
        event_id,
        slate_id,
        position,
        book_id,
        source_stored_at
    from matched
    where match_number = 1

)

select * from first_match
