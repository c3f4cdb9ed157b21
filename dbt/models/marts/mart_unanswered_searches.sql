with

unanswered_searches as (

    select * from {{ ref('stg_reading__unanswered_searches') }}

)

select
    date_trunc('week', searched_date)::date as week_start_date,
    folded as search_text,
    sum(count_searches)::bigint as count_searches,
    max(searched_date) as last_date
from unanswered_searches
group by week_start_date, folded
