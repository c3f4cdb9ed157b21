with

days as (

    select * from {{ ref('mart_quality_daily') }}

),

places as (

    select * from {{ ref('int_places_of_readers') }}

),

works as (

    select * from {{ ref('dim_works') }}

),

gone_readers as (

    select * from {{ ref('stg_stream__gone_readers') }}

),

newest as (

    select max(slate_date) as newest_date from days

),

periods as (

    select
        weeks.weeks,
        newest.newest_date - 7 * weeks.weeks as after_date
    from newest
    cross join lateral (values ({{ var('recent_weeks') | join('), (') }})) as weeks (weeks)

),

counted as (

    select
        periods.weeks,
        days.policy_version,
        days.dimension,
        days.value,
        min(days.slate_date) as first_date,
        max(days.slate_date) as last_date,
        {{ quality_sums() }}
    from days
    inner join periods
        on days.slate_date > periods.after_date
    group by periods.weeks, days.policy_version, days.dimension, days.value

),

shown as (

    select
        -- In place of the day: what is distinct is counted by stretch.
        {{ stretch_of('places.slate_date', 'newest.newest_date') }} as slate_date,
        places.reader_key,
        places.policy_version,
        {{ dimension_parts('places', 'works') }}
    from places
    cross join newest
    left join works
        on places.book_id = works.book_id
    where
        places.is_shown
        and places.reader_key is not null
        and {{ is_drawn('places.source') }}
        and places.slate_date > (select min(periods.after_date) from periods)

),

{{ members_of_groups('shown') }},

-- When a reader was last in a group says in which periods the reader was.
members_of_periods as (

    select
        policy_version,
        dimension,
        value,
        after_date,
        count(*) as count_readers
    from (
        select
            policy_version,
            dimension,
            value,
            reader_key,
            max(slate_date) as after_date
        from members
        group by policy_version, dimension, value, reader_key
    ) as last_of_readers
    group by policy_version, dimension, value, after_date

),

readers_present as (

    select
        periods.weeks,
        members_of_periods.policy_version,
        members_of_periods.dimension,
        members_of_periods.value,
        sum(members_of_periods.count_readers) as count_readers
    from members_of_periods
    inner join periods
        on members_of_periods.after_date >= periods.after_date
    group by periods.weeks, members_of_periods.policy_version, members_of_periods.dimension, members_of_periods.value

),

readers_gone as (

    select
        periods.weeks,
        gone_readers.policy_version,
        gone_readers.dimension,
        gone_readers.value,
        {{ at_least_gone('gone_readers.') }} as count_readers
    from gone_readers
    inner join periods
        on gone_readers.period_start_date > periods.after_date
    group by periods.weeks, gone_readers.policy_version, gone_readers.dimension, gone_readers.value

),

{{ with_readers('weeks') }},

-- Who was there in the days by which a period is longer than the one before: the two, subtracted, tell of these.
of_stretches as (

    select
        slate_date as after_date,
        policy_version,
        dimension,
        value,
        count(*) as count_readers
    from members
    group by slate_date, policy_version, dimension, value
    union all
    select
        {{ stretch_of('gone_readers.period_start_date', 'newest.newest_date') }} as after_date,
        gone_readers.policy_version,
        gone_readers.dimension,
        gone_readers.value,
        {{ at_least_gone('gone_readers.') }} as count_readers
    from gone_readers
    cross join newest
    where gone_readers.period_start_date > (select min(periods.after_date) from periods)
    group by after_date, gone_readers.policy_version, gone_readers.dimension, gone_readers.value

),

stretches as (

    select
        periods.weeks,
        of_stretches.policy_version,
        of_stretches.dimension,
        of_stretches.value,
        sum(of_stretches.count_readers) as count_readers
    from of_stretches
    inner join periods
        on of_stretches.after_date = periods.after_date
    group by periods.weeks, of_stretches.policy_version, of_stretches.dimension, of_stretches.value

),

-- A period tells of too few when the last stretch with anybody in it, of those it is longer by, has too few.
with_stretches as (

    select
        with_readers.*,
        coalesce((
            array_agg(stretches.count_readers) filter (where stretches.weeks > {{ var('recent_weeks') | min }}) over (
                partition by with_readers.policy_version, with_readers.dimension, with_readers.value
                order by with_readers.weeks desc rows between current row and unbounded following
            )
        )[1] < {{ var('min_readers') }}, false) as tells_of_few
    from with_readers
    left join stretches
        on
            with_readers.weeks = stretches.weeks
            and with_readers.policy_version = stretches.policy_version
            and with_readers.dimension = stretches.dimension
            and with_readers.value = stretches.value

),

{{ held_back('with_stretches', 'weeks', 'tells_of_few') }}

select
    weeks,
    policy_version,
    dimension,
    value,
    first_date,
    last_date,
    count_readers,
    {{ quality_columns() | join(',\n    ') }},
    {{ quality_rates() }},
    is_suppressed
from held_back
