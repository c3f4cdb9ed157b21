with

places as (

    select * from {{ ref('fct_slate_places') }}

),

readers_by_day as (

    select
        slate_date,
        count(distinct reader_key)::integer as count_readers_of_day
    from places
    where is_shown
    group by slate_date

),

by_outcome as (

    select
        slate_date,
        outcome,
        count(*)::integer as count_places,
        count(distinct reader_key)::integer as count_readers,
        count(distinct book_id)::integer as count_works
    from places
    where is_shown
    group by slate_date, outcome

)

select
    by_outcome.slate_date,
    by_outcome.outcome,
    by_outcome.count_places,
    by_outcome.count_readers,
    by_outcome.count_works,
    readers_by_day.count_readers_of_day,
    by_outcome.count_readers < {{ var('min_readers') }} as is_suppressed,
    readers_by_day.count_readers_of_day < {{ var('min_readers') }} as is_day_suppressed
from by_outcome
inner join readers_by_day
    on by_outcome.slate_date = readers_by_day.slate_date
