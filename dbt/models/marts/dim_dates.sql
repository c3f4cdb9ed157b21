-- From the year of the first fact's week to the end of the year after the last fact or today, whichever is later.
with

-- Each by its index; of what has gone, too.
fact_dates as (

    select
        min(occurred_date) as first_date,
        max(occurred_date) as last_date
    from {{ ref('fct_interactions') }}
    union all
    select
        min(slate_date) as first_date,
        max(slate_date) as last_date
    from {{ ref('fct_slate_places') }}
    union all
    select
        min(started_date) as first_date,
        max(started_date) as last_date
    from {{ ref('fct_sessions') }}
    union all
    select
        min(slate_date) as first_date,
        max(slate_date) as last_date
    from {{ ref('stg_stream__gone_places') }}
    union all
    select
        min(occurred_date) as first_date,
        max(occurred_date) as last_date
    from {{ ref('stg_stream__gone_traffic') }}
    union all
    select
        {{ utc_date('now()') }} as first_date,
        {{ utc_date('now()') }} as last_date

),

-- A week is known by its Monday, which may be in the year before.
span as (

    select
        date_trunc('year', date_trunc('week', min(first_date)))::date as first_date,
        (date_trunc('year', max(last_date)) + interval '2 years' - interval '1 day')::date as last_date
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
