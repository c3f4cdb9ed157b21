{{
    config(
        materialized='incremental',
        unique_key=['slate_id', 'position'],
        on_schema_change='append_new_columns',
        post_hook="{{ delete_erased(ref('stg_stream__slate_places'), ['slate_id', 'position']) }}",
    )
}}

-- depends_on: {{ ref('stg_stream__slate_places') }}
with

places as (

    select * from {{ ref('int_slate_places_attributed') }}

)

select
    ---------- identifiers
    slate_id,
    position,
    book_id,
    reader_key,
    session_id,
    ---------- how it was drawn
    policy_version,
    arm,
    surface,
    propensity,
    source,
    reason,
    reason_book_id,
    is_fallback,
    ---------- what became of it
    is_shown,
    outcome,
    count_answers,
    is_answered,
    is_opened,
    is_read,
    is_liked,
    is_skipped,
    reward,
    ---------- timestamps
    slate_created_at,
    {{ utc_date('slate_created_at') }} as slate_date,
    first_answered_at,
    source_stored_at
from places
{% if is_incremental() %}
    where source_stored_at >= {{ reread_from() }}
{% endif %}
