{{
    config(
        materialized='incremental',
        unique_key='hour_start_at',
        on_schema_change='append_new_columns',
        pre_hook="
            {% if is_incremental() %}
                -- Columns that an older version of this program did not make.
                alter table {{ this }}
                add column if not exists newest_stored_at timestamptz,
                add column if not exists count_slates_measured bigint
            {% else %}
                select 1
            {% endif %}
        ",
    )
}}

-- depends_on: {{ ref('fct_slate_places') }}
{%- set of_changed_dates = 'and occurred_date = any(array(select changed_dates.date from changed_dates))' %}

with

-- Read twice: put down as it is, all of it would be written.
interactions as not materialized (

    select * from {{ ref('fct_interactions') }}

),


dead_letters as (

    select * from {{ ref('stg_stream__dead_letters') }}

),

gone_hours as (

    select * from {{ ref('stg_stream__gone_hours') }}

),

{% if is_incremental() %}
    changed as materialized (

        select date_trunc('hour', occurred_at, 'UTC') as hour_start_at from interactions
        where source_stored_at >= {{ remake_from() }}
        union distinct
        select date_trunc('hour', slate_created_at, 'UTC') as hour_start_at from {{ ref('fct_slate_places') }}
        where source_stored_at >= {{ remake_from() }}
        union distinct
        select date_trunc('hour', found_at, 'UTC') as hour_start_at from dead_letters
        where found_at >= {{ remake_from() }}
        union distinct
        select days.changed_date::timestamp at time zone 'utc' + interval '1 hour' * hours.number as hour_start_at
        from {{ source('stream', 'changed_days') }} as days
        cross join generate_series(0, 23) as hours (number)

    ),

    changed_dates as materialized (

        select distinct {{ utc_date('hour_start_at') }} as date from changed

    ),

    measured as (

        select * from {{ this }}
        where hour_start_at in (select changed.hour_start_at from changed)

    ),
{% endif %}

acts as (

    select
        date_trunc('hour', occurred_at, 'UTC') as hour_start_at,
        count(*) as count_acts,
        max(source_stored_at) as newest_stored_at
    from interactions
    where not is_inferred {{ of_changed_dates if is_incremental() }}
    group by hour_start_at

),

slates as (

    select slates.*
    {% if is_incremental() %}
        from {{ ref('fct_slate_places') }} as slate_places
        cross join {{ looked_up(ref('stg_stream__slates'), {'slate_id': 'slate_places.slate_id'}) }} as slates
        where
            slate_places.position = 0
            and slate_places.slate_date = any(array(select changed_dates.date from changed_dates))
            and date_trunc('hour', slates.created_at, 'UTC') in (select changed.hour_start_at from changed)
    {% else %}
        from {{ ref('stg_stream__slates') }} as slates
        where cardinality(slates.book_ids) > 0
    {% endif %}

),

slates_by_hour as (

    select
        date_trunc('hour', created_at, 'UTC') as hour_start_at,
        count(*) as count_slates,
        max(stored_at) as newest_stored_at,
        1000 * percentile_cont(0.5) within group (order by extract(epoch from stored_at - event_received_at))
            as act_to_slate_ms_median,
        1000 * percentile_cont(0.99) within group (order by extract(epoch from stored_at - event_received_at))
            as act_to_slate_ms_p99
    from slates
    group by hour_start_at

),

dead_letters_by_hour as (

    select
        date_trunc('hour', found_at, 'UTC') as hour_start_at,
        count(*) as count_dead_letters
    from dead_letters
    group by hour_start_at

),

hours as (

    select hour_start_at from acts
    union distinct
    select hour_start_at from slates_by_hour
    union distinct
    select hour_start_at from dead_letters_by_hour
    union distinct
    select occurred_hour as hour_start_at from gone_hours

)

select
    hours.hour_start_at,
    (coalesce(acts.count_acts, 0) + coalesce(gone_hours.count_acts, 0))::bigint as count_acts,
    (coalesce(slates_by_hour.count_slates, 0) + coalesce(gone_hours.count_slates, 0))::bigint as count_slates,
    {% for measure in ['act_to_slate_ms_median', 'act_to_slate_ms_p99'] %}
        {% set found = 'round(slates_by_hour.' ~ measure ~ '::numeric, 1)::double precision' %}
        {% if is_incremental() %} -- noqa: LT02
            -- Once slates have gone, what was measured of more of them stands.
            case
                when coalesce(slates_by_hour.count_slates, 0) >= coalesce(measured.count_slates_measured, 0)
                    then coalesce({{ found }}, measured.{{ measure }})
                else measured.{{ measure }}
            end as {{ measure }},
        {% else %}
            {{ found }} as {{ measure }},
        {% endif %}
    {% endfor %}
    {% if is_incremental() %}
        greatest(slates_by_hour.count_slates, measured.count_slates_measured, 0)::bigint as count_slates_measured,
    {% else %}
        coalesce(slates_by_hour.count_slates, 0)::bigint as count_slates_measured,
    {% endif %}
    coalesce(dead_letters_by_hour.count_dead_letters, 0)::bigint as count_dead_letters,
    greatest(acts.newest_stored_at, slates_by_hour.newest_stored_at) as newest_stored_at
from hours
left join acts
    on hours.hour_start_at = acts.hour_start_at
left join slates_by_hour
    on hours.hour_start_at = slates_by_hour.hour_start_at
left join dead_letters_by_hour
    on hours.hour_start_at = dead_letters_by_hour.hour_start_at
left join gone_hours
    on hours.hour_start_at = gone_hours.occurred_hour
{% if is_incremental() %}
    left join measured
        on hours.hour_start_at = measured.hour_start_at
    where hours.hour_start_at in (select changed.hour_start_at from changed)
{% endif %}
