with

source as (

    select * from {{ source('library', 'works') }}

),

renamed as (

    select
        ---------- identifiers
        book_id,
        work_key,
        series_id,
        merged_into as merged_into_book_id,
        ---------- description
        kind,
        title,
        title_sort,
        authors_text,
        subjects_text,
        language,
        year,
        audience,
        summary,
        publisher,
        series_index::double precision as series_index,
        rating::double precision as rating,
        ---------- state
        active as is_active,
        ---------- timestamps
        added_at,
        updated_at
    from source

)

select * from renamed
