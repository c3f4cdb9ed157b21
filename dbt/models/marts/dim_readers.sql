{{
    config(
        post_hook="{{ note_changed_readers() }}",
    )
}}

-- Built from the facts, so that each of their readers is here although the stream goes on.
with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

slate_places as (

    select * from {{ ref('fct_slate_places') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

staff_readers as (

    select * from {{ ref('stg_reading__staff_readers') }}

),

before as (

    {% if is_there('dim_readers') %}
        select
            reader_key,
            traffic
        from marts.dim_readers
    {% else %}
        select
            null::text as reader_key,
            null::text as traffic
    {% endif %}

),

acts_by_minute as (

    select
        reader_key,
        min(occurred_at) as first_act_at,
        max(occurred_at) as last_act_at,
        count(*) as count_acts,
        count(*) filter (where action != 'show') as count_own_acts
    from interactions
    where not is_inferred
    group by reader_key, date_trunc('minute', occurred_at)

),

-- Who did more in a minute than anybody can is a program.
acts_by_reader as (

    select
        reader_key,
        min(first_act_at) as first_act_at,
        max(last_act_at) as last_act_at,
        sum(count_acts)::integer as count_acts,
        max(count_own_acts) > {{ var('bot_acts_per_minute') }} as is_program
    from acts_by_minute
    group by reader_key

),

sessions_by_reader as (

    select
        reader_key,
        count(*)::integer as count_sessions
    from sessions
    group by reader_key

),

reader_keys as (

    select reader_key from interactions
    union distinct
    select reader_key from slate_places
    union distinct
    select reader_key from sessions

),

with_traffic as (

    select
        reader_keys.reader_key,
        left(reader_keys.reader_key, 2) = 's_' as is_session_only,
        case
            when staff_readers.reader_key is not null then 'staff'
            when starts_with(reader_keys.reader_key, 's_staff_') then 'staff'
            when starts_with(reader_keys.reader_key, 's_test_') then 'test'
            when acts_by_reader.is_program then 'bot'
            else 'reader'
        end as traffic,
        acts_by_reader.first_act_at,
        acts_by_reader.last_act_at,
        coalesce(acts_by_reader.count_acts, 0) as count_acts,
        coalesce(sessions_by_reader.count_sessions, 0) as count_sessions
    from reader_keys
    left join acts_by_reader
        on reader_keys.reader_key = acts_by_reader.reader_key
    left join sessions_by_reader
        on reader_keys.reader_key = sessions_by_reader.reader_key
    left join staff_readers
        on reader_keys.reader_key = staff_readers.reader_key

)

select
    with_traffic.reader_key,
    with_traffic.is_session_only,
    with_traffic.traffic,
    coalesce(before.traffic, with_traffic.traffic) as traffic_before,
    with_traffic.first_act_at,
    with_traffic.last_act_at,
    with_traffic.count_acts,
    with_traffic.count_sessions
from with_traffic
left join before
    on with_traffic.reader_key = before.reader_key
