{{
    config(
        materialized='incremental',
        unique_key='event_id',
        on_schema_change='append_new_columns',
        indexes=[
            {'columns': ['event_id'], 'unique': true},
            {'columns': ['source_stored_at']},
            {'columns': ['slate_id']},
            {'columns': ['reader_key', 'occurred_date']},
            {'columns': ['occurred_date']},
        ],
        pre_hook="{{ let_go(source('stream', 'interactions'), 'event_id') }}",
        post_hook="{{ count_gone_acts() }}",
    )
}}

-- depends_on: {{ ref('stg_stream__slates') }}
with

{% if is_incremental() %}
    -- New acts, and those whose slate came after them.
    changed as materialized (

        select event_id from {{ ref('stg_stream__interactions') }}
        where stored_at >= {{ reread_from(this) }}
        union distinct
        select interactions.event_id
        from {{ ref('stg_stream__slates') }} as slates
        inner join {{ ref('stg_stream__interactions') }} as interactions
            on
                slates.reader_key = interactions.reader_key
                and slates.slate_id = interactions.slate_id
        where slates.stored_at >= {{ reread_from(this) }}

    ),
{% endif %}

interactions as (

    select * from {{ ref('stg_stream__interactions') }}
    {% if is_incremental() %}
        where event_id in (select changed.event_id from changed)
    {% endif %}

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
