with

acts as (

    select * from {{ ref('int_acts_of_readers') }}

),

-- Who keeps no history cannot return: the next visit is somebody else's.
weeks_of_readers as (

    select distinct
        reader_key,
        date_trunc('week', occurred_date)::date as week_start_date
    from acts
    where
        reader_key is not null
        and left(reader_key, 2) != 's_'
        and action != 'show'

),

first_weeks as (

    select
        reader_key,
        min(week_start_date) as cohort_start_date
    from weeks_of_readers
    group by reader_key

),

cohort_sizes as (

    select
        cohort_start_date,
        count(*)::bigint as count_readers
    from first_weeks
    group by cohort_start_date

),

returned as (

    select
        first_weeks.cohort_start_date,
        ((weeks_of_readers.week_start_date - first_weeks.cohort_start_date) / 7)::integer as weeks_later,
        count(*)::bigint as count_returned
    from weeks_of_readers
    inner join first_weeks
        on weeks_of_readers.reader_key = first_weeks.reader_key
    group by first_weeks.cohort_start_date, weeks_later

),

-- A week in which nobody came back is a row, too.
last_week as (

    select max(week_start_date) as last_week_date from weeks_of_readers

),

every_week as (

    select
        cohort_sizes.cohort_start_date,
        cohort_sizes.count_readers,
        weeks.weeks_later
    from cohort_sizes
    cross join last_week
    cross join lateral generate_series(
        0, ((last_week.last_week_date - cohort_sizes.cohort_start_date) / 7)::integer
    ) as weeks (weeks_later)

)

select
    every_week.cohort_start_date,
    every_week.weeks_later,
    every_week.count_readers,
    coalesce(returned.count_returned, 0) as count_returned,
    {{ rate('coalesce(returned.count_returned, 0)', 'every_week.count_readers', 'return_rate') }},
    every_week.count_readers < {{ var('min_readers') }}
    or coalesce(returned.count_returned, 0) between 1 and {{ var('min_readers') }} - 1
    or every_week.count_readers - coalesce(returned.count_returned, 0) between 1 and {{ var('min_readers') }} - 1
        as is_suppressed
from every_week
left join returned
    on
        every_week.cohort_start_date = returned.cohort_start_date
        and every_week.weeks_later = returned.weeks_later
