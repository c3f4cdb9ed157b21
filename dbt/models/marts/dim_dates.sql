-- From the first fact's year to the end of the year after the last fact or today, whichever is later.
with

fact_dates as (

    select occurred_date as fact_date
    from {{ ref('fct_interactions') }}
    union all
    select slate_date as fact_date
    from {{ ref('fct_slate_places') }}
    union all
    select started_date as fact_date
    from {{ ref('fct_sessions') }}
    union all
    select {{ utc_date('now()') }} as fact_date

),

span as (

    select
        date_trunc('year', min(fact_date))::date as first_date,
        (date_trunc('year', max(fact_date)) + interval '2 years' - interval '1 day')::date as last_date
    from fact_dates

),

days as (

    select generate_series(first_date, last_date, interval '1 day')::date as date_day
    from span

)

select
    date_day,
    extract(year from date_day)::integer as year,
    extract(quarter from date_day)::integer as quarter,
    extract(month from date_day)::integer as month,
    extract(day from date_day)::integer as day_of_month,
    extract(isoyear from date_day)::integer as iso_year,
    extract(week from date_day)::integer as iso_week,
    extract(isodow from date_day)::integer as iso_day_of_week,
    (array[
        'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'
    ])[extract(isodow from date_day)::integer] as day_name,
    extract(isodow from date_day) >= 6 as is_weekend
from days
