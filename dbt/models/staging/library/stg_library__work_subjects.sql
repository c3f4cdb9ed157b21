with

source as (

    select * from {{ source('library', 'work_subjects') }}

),

renamed as (

    select
        ---------- identifiers
        book_id,
        subject_id,
        ---------- order
        position
    from source

)

select * from renamed
