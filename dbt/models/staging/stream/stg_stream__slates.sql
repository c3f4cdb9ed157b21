with

source as (

    select * from {{ source('stream', 'slates') }}

),

renamed as (

    select
        ---------- identifiers
        slate_id,
        event_id,
        reader_key,
        session_id,
        ---------- how it was drawn
        policy_version,
        arm,
        surface,
        book_ids,
        ---------- timestamps
        created_at,
        event_received_at,
        stored_at
    from source

)

select * from renamed
