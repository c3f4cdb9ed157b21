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

-- Of who did more in a minute than anybody can.
acts_by_minute as (

    select
        reader_key,
        count(*) as count_acts
    from interactions
    where not is_inferred and action != 'show'
    group by reader_key, date_trunc('minute', occurred_at)
    having count(*) > {{ var('bot_acts_per_minute') }}

),

programs as (

    select distinct reader_key from acts_by_minute

),

acts_by_reader as (

    select
        reader_key,
        min(occurred_at) as first_act_at,
        max(occurred_at) as last_act_at,
        count(*)::integer as count_acts
    from interactions
    where not is_inferred
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

)

select
    reader_keys.reader_key,
    left(reader_keys.reader_key, 2) = 's_' as is_session_only,
    case
        when staff_readers.reader_key is not null then 'staff'
        when starts_with(reader_keys.reader_key, 's_staff_') then 'staff'
        when starts_with(reader_keys.reader_key, 's_test_') then 'test'
        when programs.reader_key is not null then 'bot'
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
left join programs
    on reader_keys.reader_key = programs.reader_key
