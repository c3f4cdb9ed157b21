{{
    config(
        materialized='incremental',
        unique_key='event_id',
        on_schema_change='append_new_columns',
        post_hook="{{ delete_erased(ref('stg_stream__interactions'), ['event_id']) }}",
    )
}}

with

interactions as (

    select * from {{ ref('stg_stream__interactions') }}

),

attributed as (

    select * from {{ ref('int_acts_attributed') }}

)

select
    ---------- identifiers
    interactions.event_id,
    interactions.reader_key,
    interactions.session_id,
    interactions.book_id,
    ---------- what happened
    interactions.action,
    interactions.surface,
    interactions.value,
    interactions.reward,
    interactions.is_inferred,
    ---------- the place it belongs to; organic when it belongs to none
    attributed.event_id is not null as is_recommended,
    attributed.slate_id,
    attributed.position,
    ---------- timestamps
    interactions.occurred_at,
    {{ utc_date('interactions.occurred_at') }} as occurred_date,
    greatest(interactions.stored_at, attributed.source_stored_at) as source_stored_at
from interactions
left join attributed
    on interactions.event_id = attributed.event_id
{% if is_incremental() %}
    where greatest(interactions.stored_at, attributed.source_stored_at) >= {{ reread_from() }}
{% endif %}
