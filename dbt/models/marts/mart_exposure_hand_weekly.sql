{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ take_out(ref('int_places_of_readers'), 'slate_date', 'week_start_date', 'week',
                              (ref('int_acts_of_readers'), 'occurred_date')) }}",
    )
}}

-- What staff chose, beside what was drawn. A curated row is no slate: its own acts say what was shown and opened.
with

places as (

    select * from {{ ref('int_places_of_readers') }}
    where is_shown and {{ is_to_make('slate_date', 'week_start_date', 'week') }}

),

acts as (

    select * from {{ ref('int_acts_of_readers') }}
    where
        surface = 'curated'
        and action in ('show', 'open')
        and {{ is_to_make('occurred_date', 'week_start_date', 'week') }}

),

chosen as (

    select
        date_trunc('week', slate_date)::date as week_start_date,
        case when {{ is_drawn('source') }} then 'policy' else source end as source,
        slate_date as act_date,
        reader_key,
        count_places as count_shown,
        count_opened,
        source_stored_at
    from places
    union all
    select
        date_trunc('week', occurred_date)::date as week_start_date,
        'curated' as source,
        occurred_date as act_date,
        reader_key,
        case when action = 'show' then count_acts else 0 end as count_shown,
        case when action = 'open' then count_acts else 0 end as count_opened,
        source_stored_at
    from acts

),

-- What is distinct is grouped first: counted as it stands, all places would be sorted for it.
by_reader as (

    select
        week_start_date,
        source,
        reader_key,
        case when reader_key is null then act_date end as date_of_gone,
        sum(count_shown) as count_shown,
        sum(count_opened) as count_opened,
        max(source_stored_at) as newest_stored_at
    from chosen
    group by week_start_date, source, reader_key, date_of_gone

),

counted as (

    select
        week_start_date,
        source,
        sum(count_shown)::bigint as count_shown,
        -- A book may be opened twice from one place of a row.
        least(sum(count_opened), sum(count_shown))::bigint as count_opened,
        (count(reader_key) + count(date_of_gone))::bigint as count_readers,
        max(newest_stored_at) as newest_stored_at
    from by_reader
    group by week_start_date, source

)

select
    week_start_date,
    source,
    count_readers,
    count_shown,
    count_opened,
    {{ rate('count_opened', 'count_shown', 'click_rate') }},
    -- What staff filled is a whole by itself; what the policy drew stands on other pages, whatever is held back here.
    {{ is_held_back('count_readers', ['week_start_date', "source = 'policy'"], name='source') }} as is_suppressed,
    newest_stored_at
from counted
