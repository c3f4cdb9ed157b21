-- noqa: disable=LT02
{# By what the quality of recommendations can be looked at; `rows` has the place, `works` what it is about. #}
{% macro place_dimensions(rows, works) -%}
    ('all', 'all'),
    ('arm', {{ rows }}.arm),
    ('surface', {{ rows }}.surface),
    ('position', ({{ rows }}.position + 1)::text),
    ('language', coalesce({{ works }}.language, 'unknown')),
    ('subject', coalesce({{ works }}.principal_subject, 'none'))
{%- endmacro %}

{# The same of grouped rows, as columns `dimension` and `value`. The rows have each part as text, in columns of these
   names; `dimension_sets` is what they are grouped by: whole and in parts, of each version (null: of all). #}
{% macro dimension_columns() -%}
    {{ return(['arm', 'surface', 'place', 'language', 'subject']) }}
{%- endmacro %}

{% macro dimension_parts(rows, works) -%}
    {{ rows }}.arm,
    {{ rows }}.surface,
    ({{ rows }}.position + 1)::text as place,
    coalesce({{ works }}.language, 'unknown') as language,
    coalesce({{ works }}.principal_subject, 'none') as subject
{%- endmacro %}

{% macro dimension_sets() -%}
    grouping sets (
        (policy_version), ()
        {%- for column in dimension_columns() -%}
            , (policy_version, {{ column }}), ({{ column }})
        {%- endfor -%}
    )
{%- endmacro %}

{% macro dimension_of_set() -%}
    coalesce(policy_version, 'all') as policy_version,
    case
        when arm is not null then 'arm'
        when surface is not null then 'surface'
        when place is not null then 'position'
        when language is not null then 'language'
        when subject is not null then 'subject'
        else 'all'
    end as dimension,
    coalesce({{ dimension_columns() | join(', ') }}, 'all') as value
{%- endmacro %}

{# CTE `with_readers`: what was `counted`, with the readers who are there and those who have gone. #}
{% macro with_readers(period) -%}
with_readers as (

    select
        counted.*,
        (coalesce(readers_present.count_readers, 0) + coalesce(readers_gone.count_readers, 0))::bigint
            as count_readers
    from counted
    {% for readers in ['readers_present', 'readers_gone'] %}
    left join {{ readers }}
        on
            counted.{{ period }} = {{ readers }}.{{ period }}
            and counted.policy_version = {{ readers }}.policy_version
            and counted.dimension = {{ readers }}.dimension
            and counted.value = {{ readers }}.value
    {% endfor %}

)
{%- endmacro %}

{# What was drawn by a policy or stood in for it; what staff put there is nobody's recommendation. #}
{% macro is_drawn(source_column) -%}
    {{ source_column }} not in ('pinned', 'staff')
{%- endmacro %}
