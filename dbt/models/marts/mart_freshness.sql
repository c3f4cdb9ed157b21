with

hours as (

    select * from {{ ref('mart_stream_hourly') }}

),

acts as (

    select
        (select sum(hours.count_acts)::bigint from hours) as count_acts,
        (select max(acts.source_stored_at) from {{ ref('fct_interactions') }} as acts) as newest_stored_at,
        (
            select max(acts.occurred_at) from {{ ref('fct_interactions') }} as acts
            where acts.occurred_date = (select max(days.occurred_date) from {{ ref('fct_interactions') }} as days)
        ) as newest_act_at

),

-- Day 0 is the last 24 whole hours, day 1 those before, and so on for four weeks.
days as (

    select
        days_ago,
        date_trunc('hour', now()) - interval '1 day' * (days_ago + 1) as begins_at,
        date_trunc('hour', now()) - interval '1 day' * days_ago as ends_at
    from generate_series(0, 28) as days_ago

),

acts_by_day as (

    select
        days.days_ago,
        days.ends_at,
        coalesce(sum(hours.count_acts), 0)::bigint as count_acts
    from days
    left join hours
        on
            days.begins_at <= hours.hour_start_at
            and days.ends_at > hours.hour_start_at
    group by days.days_ago, days.ends_at

),

first_hour as (

    select min(hour_start_at) as first_hour_at
    from hours
    where count_acts > 0

),

-- What is usual is known once there are seven days to know it from.
usual as (

    select
        percentile_cont(0.5) within group (order by acts_by_day.count_acts) as usual_acts_a_day,
        count(*) as count_days
    from acts_by_day
    cross join first_hour
    where acts_by_day.days_ago > 0 and acts_by_day.ends_at > first_hour.first_hour_at

),

arrivals as (

    select
        acts_by_day.count_acts as count_acts_last_day,
        case when usual.count_days >= 7 then usual.usual_acts_a_day end as usual_acts_a_day
    from acts_by_day
    cross join usual
    where acts_by_day.days_ago = 0

)

select
    now() as built_at,
    coalesce(acts.count_acts, 0) as count_acts,
    acts.newest_act_at,
    acts.newest_stored_at,
    arrivals.count_acts_last_day,
    arrivals.usual_acts_a_day,
    -- More than chance (four standard deviations of a Poisson count), and more than a quiet or a busy day.
    coalesce(
        abs(arrivals.count_acts_last_day - arrivals.usual_acts_a_day) > 4 * sqrt(arrivals.usual_acts_a_day)
        and not (
            arrivals.count_acts_last_day >= {{ var('arrivals_low') }} * arrivals.usual_acts_a_day
            and arrivals.count_acts_last_day <= {{ var('arrivals_high') }} * arrivals.usual_acts_a_day
        ),
        false
    ) as is_unusual
from acts
cross join arrivals
