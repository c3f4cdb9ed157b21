with

source as (

    select * from {{ source('learning', 'models') }}

),

renamed as (

    select
        ---------- identifiers
        version,
        parent_version,
        ---------- description
        kind,
        status,
        status_reason,
        config,
        manifest,
        metrics,
        sha256,
        ---------- timestamps
        created_at
    from source

)

select * from renamed
