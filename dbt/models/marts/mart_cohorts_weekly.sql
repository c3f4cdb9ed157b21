{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ take_out(ref('int_acts_of_readers'), 'occurred_date', 'week_start_date', 'week', and_later=true) }}",
    )
}}

with

-- Who keeps no history cannot return: the next visit is somebody else's.
acts as (

    select * from {{ ref('int_acts_of_readers') }}
    where
        reader_key is not null
        and left(reader_key, 2) != 's_'
        and action != 'show'
        and {{ is_to_make('occurred_date', 'week_start_date', 'week') }}

),

weeks_of_readers as (

    select
        reader_key,
        date_trunc('week', occurred_date)::date as week_start_date,
        max(source_stored_at) as newest_stored_at
    from acts
    group by reader_key, week_start_date

),

readers as (

    select
        reader_key,
        min(week_start_date) as first_week_made
    from weeks_of_readers
    group by reader_key

),

first_weeks as (

    select
        readers.reader_key,
        {% if is_incremental() %}
            date_trunc('week', first_acts.occurred_date)::date as cohort_start_date
        {% else %}
            readers.first_week_made as cohort_start_date
        {% endif %}
    from readers
    {% if is_incremental() %}
        cross join lateral (
            select interactions.occurred_date
            from marts.fct_interactions as interactions
            where
                interactions.reader_key = readers.reader_key
                and interactions.action != 'show'
                and not interactions.is_inferred
            order by interactions.occurred_date
            limit 1
        ) as first_acts
    {% endif %}

),

made_before as (

    {% if is_incremental() %}
        select
            cohort_start_date,
            week_start_date,
            count_readers
        from {{ this }}
    {% else %}
        select
            null::date as cohort_start_date,
            null::date as week_start_date,
            null::bigint as count_readers
        where false
    {% endif %}

),

-- All readers of a cohort did something in its first week.
cohort_sizes as (

    select
        cohort_start_date,
        count_readers
    from made_before
    where week_start_date = cohort_start_date
    union all
    select
        cohort_start_date,
        count(*)::bigint as count_readers
    from first_weeks
    where cohort_start_date not in (select made_before.cohort_start_date from made_before)
    group by cohort_start_date

),

returned as (

    select
        first_weeks.cohort_start_date,
        weeks_of_readers.week_start_date,
        count(*)::bigint as count_returned
    from weeks_of_readers
    inner join first_weeks
        on weeks_of_readers.reader_key = first_weeks.reader_key
    group by first_weeks.cohort_start_date, weeks_of_readers.week_start_date

),

newest as (

    select
        week_start_date,
        max(newest_stored_at) as newest_stored_at
    from weeks_of_readers
    group by week_start_date

),

-- What was made before has no gap: after it come those that are to be made.
span as (

    select
        (select max(made_before.week_start_date) + 7 from made_before) as first_week_date,
        (select max(weeks_of_readers.week_start_date) from weeks_of_readers) as last_week_date

),

-- A week in which nobody came back is a row, too.
every_week as (

    select
        cohort_sizes.cohort_start_date,
        cohort_sizes.count_readers,
        weeks.week_start_date::date as week_start_date,
        ((weeks.week_start_date::date - cohort_sizes.cohort_start_date) / 7)::integer as weeks_later
    from cohort_sizes
    cross join span
    cross join lateral generate_series(
        greatest(cohort_sizes.cohort_start_date, span.first_week_date), span.last_week_date, interval '7 days'
    ) as weeks (week_start_date)

)

select
    every_week.cohort_start_date,
    every_week.weeks_later,
    every_week.week_start_date,
    every_week.count_readers,
    coalesce(returned.count_returned, 0) as count_returned,
    {{ rate('coalesce(returned.count_returned, 0)', 'every_week.count_readers', 'return_rate') }},
    every_week.count_readers < {{ var('min_readers') }}
    or coalesce(returned.count_returned, 0) between 1 and {{ var('min_readers') }} - 1
    or every_week.count_readers - coalesce(returned.count_returned, 0) between 1 and {{ var('min_readers') }} - 1
        as is_suppressed,
    newest.newest_stored_at
from every_week
left join returned
    on
        every_week.cohort_start_date = returned.cohort_start_date
        and every_week.week_start_date = returned.week_start_date
left join newest
    on every_week.week_start_date = newest.week_start_date
