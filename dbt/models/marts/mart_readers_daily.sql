with

days as (

    select * from {{ ref('int_readers_daily') }}

)

select
    period_start_date,
    action,
    count_acts,
    count_readers,
    count_works,
    acts_per_reader,
    -- The month less its other days would tell of a day.
    {{ is_held_back(
        'count_readers', ["date_trunc('month', period_start_date)", 'action'], name='period_start_date'
    ) }} as is_suppressed
from days
