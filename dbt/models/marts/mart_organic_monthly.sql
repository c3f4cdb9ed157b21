with

organic as (

    select * from {{ ref('int_organic_monthly') }}

),

acts_of_all as (

    select * from {{ ref('mart_readers_monthly') }}

)

select
    organic.period_start_date,
    organic.action,
    organic.count_readers,
    organic.count_acts,
    organic.count_organic,
    {{ rate('organic.count_organic', 'organic.count_acts', 'organic_share') }},
    -- Those of all readers are shown, too: less these they are those of visits, and of readers whose acts have gone.
    acts_of_all.is_suppressed
    or organic.count_readers < {{ var('min_readers') }}
    or organic.count_readers_organic between 1 and {{ var('min_readers') }} - 1
    or organic.count_readers_recommended between 1 and {{ var('min_readers') }} - 1
    or acts_of_all.count_readers - organic.count_readers between 1 and {{ var('min_readers') }} - 1
        as is_suppressed
from organic
inner join acts_of_all
    on
        organic.period_start_date = acts_of_all.period_start_date
        and organic.action = acts_of_all.action
