with

uses as (

    select * from {{ ref('int_uses_by_month') }}

),

unanswered_searches as (

    select * from {{ ref('stg_reading__unanswered_searches') }}

),

searches as (

    select
        date_trunc('month', searched_date)::date as month_start_date,
        sum(count_searches)::bigint as count_searches
    from unanswered_searches
    group by month_start_date

),

first_search as (

    select min(month_start_date) as first_month_date from searches

),

counted as (

    select
        uses.month_start_date,
        uses.dimension,
        uses.value,
        uses.count_readers,
        uses.total_item_investigations,
        uses.total_item_requests,
        uses.unique_item_investigations,
        uses.unique_item_requests,
        uses.count_works,
        -- What was searched in vain is kept for a time; of a month before it nothing is known.
        case
            when
                uses.dimension = 'all'
                and uses.month_start_date >= first_search.first_month_date
                then coalesce(searches.count_searches, 0)
        end as count_unanswered_searches
    from uses
    cross join first_search
    left join searches
        on uses.month_start_date = searches.month_start_date

)

select
    month_start_date,
    dimension,
    value,
    count_readers,
    total_item_investigations,
    total_item_requests,
    unique_item_investigations,
    unique_item_requests,
    count_works,
    count_unanswered_searches,
    {{ is_held_back('count_readers', ['month_start_date', 'dimension'], name='value') }} as is_suppressed
from counted
