with

source as (

    select * from {{ source('reading', 'requests') }}

),

renamed as (

    select
        ---------- identifiers
        request_id,
        request_key,
        ---------- what is wanted
        title,
        author,
        ---------- what became of it
        status,
        ---------- timestamps
        asked_at,
        decided_at
    from source

)

select * from renamed
