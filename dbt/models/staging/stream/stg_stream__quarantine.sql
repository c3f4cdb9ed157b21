with

source as (

    select * from {{ source('stream', 'quarantine') }}

),

renamed as (

    select
        ---------- identifiers
        event_id,
        reader_key,
        book_id,
        ---------- place in the log
        source,
        partition,
        log_offset,
        payload,
        ---------- timestamps
        received_at,
        found_at,
        released_at
    from source

)

select * from renamed
