-- noqa: disable=LT02
{# What the acts on one place come to, `interactions` with their `actions`. An inferred skip is no answer. #}
{% macro what_acts_came_to(interactions, actions) -%}
    {%- set is_answer = actions ~ '.is_answer and not ' ~ interactions ~ '.is_inferred' -%}
    count(*) > 0 as is_shown,
    sum({{ interactions }}.reward) as reward,
    count(case when {{ is_answer }} then 1 end)::integer as count_answers,
    min(case when {{ is_answer }} then {{ interactions }}.occurred_at end) as first_answered_at,
    max({{ interactions }}.source_stored_at) as source_stored_at,
    (
        array_agg(
            {{ interactions }}.action
            order by {{ actions }}.strength desc, {{ interactions }}.occurred_at asc, {{ interactions }}.event_id asc
        ) filter (where {{ is_answer }})
    )[1] as strongest_action,
    bool_or({{ is_answer }} and {{ interactions }}.action in ('open', 'read', 'finish')) as is_opened,
    bool_or({{ is_answer }} and {{ interactions }}.action in ('read', 'finish')) as is_read,
    bool_or({{ is_answer }} and {{ interactions }}.action = 'like') as is_liked,
    bool_or({{ is_answer }} and {{ interactions }}.action = 'skip') as is_skipped
{%- endmacro %}
