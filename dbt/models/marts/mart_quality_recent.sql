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
        places.slate_date,
        places.reader_key,
        places.policy_version,
        {{ dimension_parts('places', 'works') }}
    from places
    left join works
        on places.book_id = works.book_id
    where
        places.is_shown
        and places.reader_key is not null
        and {{ is_drawn('places.source') }}
        and places.slate_date > (select min(periods.after_date) from periods)

),

-- When a reader was last in a group says in which periods the reader was.
{{ members_of_groups('shown', by_day=false) }},

members_by_last_day as (

    select
        slate_date,
        policy_version,
        dimension,
        value,
        count(*) as count_readers
    from members
    group by slate_date, policy_version, dimension, value

),

readers_present as (

    select
        periods.weeks,
        members.policy_version,
        members.dimension,
        members.value,
        sum(members.count_readers) as count_readers
    from members_by_last_day as members
    inner join periods
        on members.slate_date > periods.after_date
    group by periods.weeks, members.policy_version, members.dimension, members.value

),

-- Visits add up. Of readers with a history who have gone, one day's number is all that is sure.
readers_gone as (

    select
        periods.weeks,
        gone_readers.policy_version,
        gone_readers.dimension,
        gone_readers.value,
        coalesce(sum(gone_readers.count_readers) filter (where gone_readers.is_visit), 0)
        + coalesce(max(gone_readers.count_readers) filter (where not gone_readers.is_visit), 0) as count_readers
    from gone_readers
    inner join periods
        on gone_readers.period_start_date > periods.after_date
    group by periods.weeks, gone_readers.policy_version, gone_readers.dimension, gone_readers.value

),

{{ with_readers('weeks') }},

{{ held_back('with_readers', 'weeks') }}

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
