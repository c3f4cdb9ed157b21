with

source as (

    select * from {{ source('stream', 'interactions') }}

),

renamed as (

    select
        ---------- identifiers
        event_id,
        reader_key,
        session_id,
        book_id,
        slate_id,
        ---------- what happened
        action,
        surface,
        position,
        value,
        reward::double precision as reward,
        rewards_version,
        inferred as is_inferred,
        version,
        ---------- place in the log
        partition,
        log_offset,
        ---------- timestamps
        occurred_at,
        received_at,
        stored_at
    from source

)

select * from renamed
