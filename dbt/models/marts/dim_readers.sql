{%- set made_before_has_more = "
    {% if is_incremental() %}
        -- What an older version of this program made.
        alter table {{ this }}
        drop column if exists first_act_at,
        drop column if exists last_act_at,
        drop column if exists count_acts,
        drop column if exists count_sessions,
        add column if not exists source_stored_at timestamptz
    {% else %}
        select 1
    {% endif %}
" %}
{{
    config(
        materialized='incremental',
        unique_key='reader_key',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['reader_key'], 'unique': true}, {'columns': ['source_stored_at']}],
        pre_hook=made_before_has_more,
        post_hook=["{{ note_changed_readers() }}", "{{ take_out_readers_gone() }}"],
    )
}}
{#- What an older version made has no such moment: all readers are looked at, as in a full refresh. -#}
{%- set since = remake_from('source_stored_at') if is_incremental() else '-infinity' %}
{%- set adds = '-infinity' not in since %}

-- Built from the facts, so that each of their readers is here although the stream goes on.
with

staff_readers as (

    select * from {{ ref('stg_reading__staff_readers') }}

),

before as (

    {% if is_there('dim_readers') %}
        select
            reader_key,
            traffic,
            {{ 'source_stored_at' if adds else 'null::timestamptz as source_stored_at' }}
        from marts.dim_readers
    {% else %}
        select
            null::text as reader_key,
            null::text as traffic,
            null::timestamptz as source_stored_at
    {% endif %}

),

{% if adds %}
    -- Of whom rows have gone, and who became staff or is no more: all their rows are looked at.
    looked_at_whole as materialized (

        select reader_key from {{ this }}
        where source_stored_at = {{ to_make_anew() }}
        union distinct
        select loaded.reader_key
        from {{ this }} as loaded
        left join staff_readers
            on loaded.reader_key = staff_readers.reader_key
        where
            (loaded.traffic = 'staff')
            != (staff_readers.reader_key is not null or starts_with(loaded.reader_key, 's_staff_'))

    ),

    -- Of others the days of new acts are enough: who was no program before can be one by these alone.
    days_to_look_at as materialized (

        select
            reader_key,
            occurred_date
        from {{ ref('fct_interactions') }}
        where source_stored_at >= {{ since }}
        union distinct
        select
            interactions.reader_key,
            interactions.occurred_date
        from looked_at_whole
        cross join
            {{ looked_up(ref('fct_interactions'), {'reader_key': 'looked_at_whole.reader_key'}) }} as interactions

    ),
{% endif %}

interactions as (

    select interactions.*
    {% if adds %}
        from days_to_look_at
        cross join
            {{ looked_up(ref('fct_interactions'), {
                'reader_key': 'days_to_look_at.reader_key', 'occurred_date': 'days_to_look_at.occurred_date'
            }) }} as interactions
    {% else %}
        from {{ ref('fct_interactions') }} as interactions
    {% endif %}

),

slate_places as (

    select
        reader_key,
        source_stored_at
    from {{ ref('fct_slate_places') }}
    {% if adds %}
        where source_stored_at >= {{ since }}
        union all
        select
            slate_places.reader_key,
            slate_places.source_stored_at
        from looked_at_whole
        cross join
            {{ looked_up(ref('fct_slate_places'), {'reader_key': 'looked_at_whole.reader_key'}) }} as slate_places
    {% endif %}

),

sessions as (

    select sessions.reader_key
    from {{ ref('fct_sessions') }} as sessions
    {% if adds %}
        left join before
            on sessions.reader_key = before.reader_key
        where
            before.reader_key is null
            or sessions.reader_key in (select looked_at_whole.reader_key from looked_at_whole)
    {% endif %}

),

acts_by_minute as (

    select
        reader_key,
        count(*) filter (where action != 'show' and not is_inferred) as count_own_acts,
        max(source_stored_at) as source_stored_at
    from interactions
    group by reader_key, date_trunc('minute', occurred_at)

),

-- Who did more in a minute than anybody can is a program.
by_kind_of_row as (

    select
        reader_key,
        max(count_own_acts) > {{ var('bot_acts_per_minute') }} as is_program,
        max(source_stored_at) as source_stored_at
    from acts_by_minute
    group by reader_key
    union all
    select
        reader_key,
        false as is_program,
        max(source_stored_at) as source_stored_at
    from slate_places
    group by reader_key
    union all
    select
        reader_key,
        false as is_program,
        null as source_stored_at
    from sessions
    group by reader_key

),

by_reader as (

    select
        reader_key,
        bool_or(is_program) as is_program,
        max(source_stored_at) as source_stored_at
    from by_kind_of_row
    group by reader_key

),

with_traffic as (

    select
        by_reader.reader_key,
        left(by_reader.reader_key, 2) = 's_' as is_session_only,
        case
            when staff_readers.reader_key is not null then 'staff'
            when starts_with(by_reader.reader_key, 's_staff_') then 'staff'
            when starts_with(by_reader.reader_key, 's_test_') then 'test'
            when by_reader.is_program then 'bot'
            {% if adds %}
                when
                    before.traffic = 'bot'
                    and by_reader.reader_key not in (select looked_at_whole.reader_key from looked_at_whole)
                    then 'bot'
            {% endif %}
            else 'reader'
        end as traffic,
        before.traffic as traffic_before,
        {% if adds %}
            nullif(greatest(by_reader.source_stored_at, before.source_stored_at), {{ to_make_anew() }})
                as source_stored_at
        {% else %}
            by_reader.source_stored_at
        {% endif %}
    from by_reader
    left join before
        on by_reader.reader_key = before.reader_key
    left join staff_readers
        on by_reader.reader_key = staff_readers.reader_key

)

select
    reader_key,
    is_session_only,
    traffic,
    coalesce(traffic_before, traffic) as traffic_before,
    source_stored_at
from with_traffic
