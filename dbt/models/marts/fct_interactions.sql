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
        pre_hook="{{ let_go(source('stream', 'interactions'), 'event_id', 'occurred_date') }}",
        post_hook=[
            "-- The triggers mark readers there, also where an older version of this program made them.
             alter table if exists marts.dim_readers add column if not exists source_stored_at timestamptz",
            "{{ analyze_when_new() }}",
            "{{ count_gone_acts() }}",
        ],
    )
}}

with

interactions as (

    select * from {{ ref('stg_stream__interactions') }}
    {% if is_incremental() %}
        where stored_at >= {{ reread_from(this) }}
    {% endif %}

),

{% if is_incremental() %}
    late_slates as (

        select * from {{ ref('stg_stream__slates') }}
        where stored_at >= {{ reread_from(this) }}

    ),

    -- Acts whose slate came after them.
    answering_late_slates as (

        select acts.*
        from late_slates
        cross join
            {{ looked_up(
                ref('stg_stream__interactions'),
                {'reader_key': 'late_slates.reader_key', 'slate_id': 'late_slates.slate_id'},
                'found.occurred_at >= late_slates.created_at and found.occurred_at < late_slates.created_at + interval \''
                ~ var('attribution_minutes') ~ ' minutes\' and found.stored_at < ' ~ reread_from(this)
            ) }} as acts

    ),
{% endif %}

to_attribute as (

    select * from interactions
    {% if is_incremental() %}
        union all
        select * from answering_late_slates
    {% endif %}

),

-- An act belongs to a place when it names the slate, comes from its reader, is about the book there and falls in the
-- window.
attributed as (

    select
        to_attribute.*,
        slates.slate_id as attributed_slate_id,
        coalesce(to_attribute.position, array_position(slates.book_ids, to_attribute.book_id) - 1) as place,
        slates.stored_at as slate_stored_at
    from to_attribute
    {% if is_incremental() %}
        left join {{ looked_up(ref('stg_stream__slates'), {'slate_id': 'to_attribute.slate_id'}) }} as slates
    {% else %}
        left join {{ ref('stg_stream__slates') }} as slates
    {% endif %}
        on
            to_attribute.slate_id = slates.slate_id
            and to_attribute.reader_key = slates.reader_key
            and to_attribute.occurred_at >= slates.created_at
            and to_attribute.occurred_at
            < slates.created_at + interval '{{ var("attribution_minutes") }} minutes'
            and to_attribute.book_id = slates.book_ids[
                coalesce(to_attribute.position, array_position(slates.book_ids, to_attribute.book_id) - 1) + 1
            ]

)

select
    ---------- identifiers
    event_id,
    reader_key,
    session_id,
    book_id,
    ---------- what happened
    action,
    surface,
    value,
    reward,
    is_inferred,
    ---------- the place it belongs to; organic when it belongs to none
    attributed_slate_id is not null as is_recommended,
    attributed_slate_id as slate_id,
    case when attributed_slate_id is not null then place end as position,
    ---------- timestamps
    occurred_at,
    {{ utc_date('occurred_at') }} as occurred_date,
    greatest(stored_at, slate_stored_at) as source_stored_at
from attributed
{% if not is_incremental() %}
    -- What comes later lies by time, too: days are read from pages of their own, not from all.
    order by occurred_at
{% endif %}
