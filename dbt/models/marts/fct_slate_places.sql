{{
    config(
        materialized='incremental',
        unique_key='slate_id',
        on_schema_change='append_new_columns',
        indexes=[
            {'columns': ['slate_id', 'position'], 'unique': true},
            {'columns': ['source_stored_at']},
            {'columns': ['reader_key', 'book_id', 'slate_date']},
            {'columns': ['slate_date']},
        ],
        pre_hook="{{ let_go(source('stream', 'slates'), 'slate_id', 'slate_date') }}",
        post_hook=["{{ analyze_when_new() }}", "{{ count_gone_places() }}"],
    )
}}

-- depends_on: {{ ref('stg_stream__slates') }}, {{ ref('fct_interactions') }}
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
    experiment_id,
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
{% if not is_incremental() %}
    -- What comes later lies by time, too: days are read from pages of their own, not from all.
    order by slate_created_at
{% endif %}
