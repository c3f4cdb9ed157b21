with

source as (

    select * from {{ source('learning', 'promotions') }}

),

renamed as (

    select
        ---------- identifiers
        promotion_id,
        version,
        ---------- description
        kind,
        reason,
        ---------- timestamps
        promoted_at
    from source

)

select * from renamed
