with

source as (

    select * from {{ source('library', 'subjects') }}

),

renamed as (

    select
        ---------- identifiers
        subject_id,
        ---------- description
        name
    from source

)

select * from renamed
