with

source as (

    select * from {{ source('stream', 'dead_letters') }}

),

renamed as (

    select
        ---------- identifiers
        dead_letter_id,
        ---------- place in the log
        source,
        partition,
        log_offset,
        ---------- what is wrong
        reason,
        payload,
        ---------- timestamps
        found_at,
        replayed_at
    from source

)

select * from renamed
