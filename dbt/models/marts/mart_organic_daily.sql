with

organic as (

    select * from {{ ref('int_organic_daily') }}

),

acts_of_all as (

    select * from {{ ref('mart_readers_daily') }}

),

-- The fewest readers that a day tells of: who found something by themselves, who did not, and the others of all
-- readers, who are shown, too. A day without either of the first two is held back with those of few: else only days
-- of none and of many would be seen.
with_fewest as (

    select
        organic.*,
        acts_of_all.is_suppressed as is_held_of_all,
        least(
            organic.count_readers_organic,
            organic.count_readers_recommended,
            nullif(acts_of_all.count_readers - organic.count_readers, 0)
        ) as count_fewest
    from organic
    inner join acts_of_all
        on
            organic.period_start_date = acts_of_all.period_start_date
            and organic.action = acts_of_all.action

)

select
    period_start_date,
    action,
    count_readers,
    count_acts,
    count_organic,
    {{ rate('count_organic', 'count_acts', 'organic_share') }},
    -- The month less its other days would tell of a day.
    {{ is_held_back(
        'count_fewest', ["date_trunc('month', period_start_date)", 'action'], 'is_held_of_all', 'period_start_date'
    ) }} as is_suppressed
from with_fewest
