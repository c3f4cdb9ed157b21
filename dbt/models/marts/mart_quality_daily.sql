{{ config(indexes=[{'columns': ['slate_date']}]) }}
{#- What is held back of one whole is a part of others, too. After so many rounds what still follows lies on days with
    a single version, whose figures are those of everything. -#}
{%- set rounds = 2 %}

with

days as (

    select * from {{ ref('int_quality_daily') }}

),

newest as (

    select max(slate_date) as newest_date from days

),

-- Older days stand beside no longer time on any page.
held_0 as (

    select
        days.*,
        days.is_held_in_day as is_held_0,
        {{ stretch_of('days.slate_date', 'newest.newest_date') }} as stretch_after_date
    from days
    cross join newest
    where days.slate_date > newest.newest_date - {{ 7 * (var('recent_weeks') | max) }}

),

{% for round in range(1, rounds + 1) %}
    {%- set before, after = round - 1, round %}
    {{ held_back_in_time('held_' ~ before, 'is_held_' ~ before, 'held_in_time_' ~ after, 'is_held_in_time_' ~ after) }},

    {{ held_back(
        'held_in_time_' ~ after, 'slate_date', 'is_held_in_time_' ~ after, 'held_' ~ after, 'is_held_' ~ after
    ) }},

{% endfor %}

judged as (

    select
        days.*,
        coalesce(held_{{ rounds }}.is_held_{{ rounds }}, days.is_held_in_day) as is_suppressed
    from days
    left join held_{{ rounds }}
        on
            days.slate_date = held_{{ rounds }}.slate_date
            and days.policy_version = held_{{ rounds }}.policy_version
            and days.dimension = held_{{ rounds }}.dimension
            and days.value = held_{{ rounds }}.value

)

select
    slate_date,
    policy_version,
    dimension,
    value,
    count_readers,
    {{ quality_columns() | join(',\n    ') }},
    {{ quality_rates() }},
    is_suppressed
from judged
