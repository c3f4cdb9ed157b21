with

places as (

    select * from {{ ref('fct_slate_places') }}

),

newest as (

    select max(slate_date) as newest_date from places

),

recent_places as (

    select places.*
    from places
    inner join newest
        on places.slate_date > newest.newest_date - {{ var('recent_days') }}
    where places.source != 'pinned'

),

counted as (

    select
        case when grouping(policy_version) = 1 then 'all' else policy_version end as policy_version,
        min(slate_date) as first_date,
        max(slate_date) as last_date,
        {{ quality_counts() }}
    from recent_places
    group by grouping sets ((policy_version), ())
    having count(*) > 0

)

select
    policy_version,
    first_date,
    last_date,
    count_slates,
    count_readers,
    count_readers_shown,
    count_works,
    count_places,
    count_places_shown,
    count_answered,
    count_unanswered,
    count_opened,
    count_read,
    count_liked,
    count_skipped,
    count_fallback,
    reward,
    {{ quality_rates() }}
from counted
