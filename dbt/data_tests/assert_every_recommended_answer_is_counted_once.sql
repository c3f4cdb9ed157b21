-- Each answer to a slate belongs to exactly one place; none is lost and none counts twice.
with

answers_by_act as (

    select count(*) as count_answers
    from {{ ref('fct_interactions') }} as interactions
    inner join {{ ref('dim_actions') }} as actions
        on interactions.action = actions.action
    where interactions.is_recommended and actions.is_answer and not interactions.is_inferred

),

answers_by_place as (

    select coalesce(sum(count_answers), 0) as count_answers
    from {{ ref('fct_slate_places') }}

)

select
    answers_by_act.count_answers as count_by_act,
    answers_by_place.count_answers as count_by_place
from answers_by_act
cross join answers_by_place
where answers_by_act.count_answers != answers_by_place.count_answers
