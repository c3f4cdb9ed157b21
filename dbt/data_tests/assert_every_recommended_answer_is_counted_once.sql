-- Each answer to a slate belongs to exactly one place; none is lost and none counts twice.
with

tested_slates as (

    select distinct slate_id from {{ ref('fct_slate_places') }}
    where source_stored_at >= {{ tested_until() }}

),

answers_by_act as (

    select count(*) as count_answers
    from {{ ref('fct_interactions') }} as interactions
    inner join {{ ref('dim_actions') }} as actions
        on interactions.action = actions.action
    inner join tested_slates
        on interactions.slate_id = tested_slates.slate_id
    where interactions.is_recommended and actions.is_answer and not interactions.is_inferred

),

answers_by_place as (

    select coalesce(sum(places.count_answers), 0) as count_answers
    from {{ ref('fct_slate_places') }} as places
    inner join tested_slates
        on places.slate_id = tested_slates.slate_id

)

select
    answers_by_act.count_answers as count_by_act,
    answers_by_place.count_answers as count_by_place
from answers_by_act
cross join answers_by_place
where answers_by_act.count_answers != answers_by_place.count_answers
