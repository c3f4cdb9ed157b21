-- Each answer to a slate belongs to exactly one place; none is lost and none counts twice.
with

{% if not is_all_tested() %}
    tested_slates as (

        select slate_id from {{ ref('fct_slate_places') }}
        where source_stored_at >= {{ tested_until() }}
        group by slate_id

    ),
{% endif %}

-- An act of these was taken back meanwhile: the next build makes them anew.
slates_to_make_anew as (

    select slate_id from {{ ref('fct_slate_places') }}
    where source_stored_at = {{ to_make_anew() }}

),

interactions as (

    select interactions.*
    {% if is_all_tested() %}
        from {{ ref('fct_interactions') }} as interactions
    {% else %}
        from tested_slates
        cross join {{ looked_up(ref('fct_interactions'), {'slate_id': 'tested_slates.slate_id'}) }} as interactions
    {% endif %}

),

slate_places as (

    select slate_places.*
    {% if is_all_tested() %}
        from {{ ref('fct_slate_places') }} as slate_places
    {% else %}
        from tested_slates
        cross join {{ looked_up(ref('fct_slate_places'), {'slate_id': 'tested_slates.slate_id'}) }} as slate_places
    {% endif %}

),

actions as (

    select * from {{ ref('dim_actions') }}

),

answers_by_act as (

    select
        interactions.slate_id,
        count(*) as count_answers
    from interactions
    inner join actions
        on interactions.action = actions.action
    where interactions.is_recommended and actions.is_answer and not interactions.is_inferred
    group by interactions.slate_id

),

answers_by_place as (

    select
        slate_id,
        sum(count_answers) as count_answers
    from slate_places
    where count_answers > 0
    group by slate_id

)

select
    coalesce(answers_by_act.slate_id, answers_by_place.slate_id) as slate_id,
    answers_by_act.count_answers as count_by_act,
    answers_by_place.count_answers as count_by_place
from answers_by_act
full outer join answers_by_place
    on answers_by_act.slate_id = answers_by_place.slate_id
where
    answers_by_act.count_answers is distinct from answers_by_place.count_answers
    and coalesce(answers_by_act.slate_id, answers_by_place.slate_id) not in (
        select slates_to_make_anew.slate_id from slates_to_make_anew
    )
