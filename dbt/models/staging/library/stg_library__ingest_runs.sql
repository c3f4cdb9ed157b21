with

source as (

    select * from {{ source('library', 'ingest_runs') }}

),

renamed as (

    select
        ---------- identifiers
        run_id as ingest_run_id,
        library_id,
        ---------- what became of it
        status,
        message,
        counts,
        coalesce((counts ->> 'inserted')::integer, 0) as count_inserted,
        coalesce((counts ->> 'updated')::integer, 0) as count_updated,
        coalesce((counts ->> 'deactivated')::integer, 0) as count_deactivated,
        coalesce((counts ->> 'rejected')::integer, 0) as count_rejected,
        ---------- timestamps
        started_at,
        finished_at
    from source

)

select * from renamed
