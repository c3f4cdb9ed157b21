with

places as (

    select * from {{ ref('fct_slate_places') }}

),

counted as (

    select
        slate_date,
        policy_version,
        arm,
        surface,
        {{ quality_counts() }}
    from places
    where source != 'pinned'
    group by slate_date, policy_version, arm, surface

)

select
    slate_date,
    policy_version,
    arm,
    surface,
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
