with

tested_days as (

    select distinct slate_date from {{ ref('fct_slate_places') }}
    where source_stored_at >= {{ tested_until() }}

),

by_action as (

    select
        slate_date,
        sum(count_places) as count_places
    from {{ ref('mart_actions_daily') }}
    where slate_date in (select tested_days.slate_date from tested_days)
    group by slate_date

),

by_place as (

    select
        slate_date,
        sum(count_places) as count_places
    from {{ ref('int_places_of_readers') }}
    where
        is_shown
        and {{ is_drawn('source') }}
        and slate_date = any(array(select tested_days.slate_date from tested_days))
    group by slate_date

)

select
    by_action.count_places as count_by_action,
    by_place.count_places as count_by_place,
    coalesce(by_action.slate_date, by_place.slate_date) as slate_date
from by_action
full outer join by_place
    on by_action.slate_date = by_place.slate_date
where by_action.count_places is distinct from by_place.count_places
