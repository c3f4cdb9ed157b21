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
   names; `dimension_sets` is what they are grouped by: in parts, and whole where asked, of each version (null: of all).
   All places of a slate have its `slate_columns` alike. #}
{% macro slate_columns() -%}
    {{ return(['arm', 'surface']) }}
{%- endmacro %}

{% macro place_columns() -%}
    {{ return(['place', 'language', 'subject']) }}
{%- endmacro %}

{% macro dimension_columns() -%}
    {{ return(slate_columns() + place_columns()) }}
{%- endmacro %}

{% macro dimension_parts(rows, works) -%}
    {{ rows }}.arm,
    {{ rows }}.surface,
    ({{ rows }}.position + 1)::text as place,
    coalesce({{ works }}.language, 'unknown') as language,
    coalesce({{ works }}.principal_subject, 'none') as subject
{%- endmacro %}

{% macro dimension_sets(columns, with_whole=true) -%}
    grouping sets (
        {%- if with_whole -%} (policy_version), (), {% endif -%}
        {%- for column in columns -%}
            (policy_version, {{ column }}), ({{ column }}) {%- if not loop.last -%}, {% endif -%}
        {%- endfor -%}
    )
{%- endmacro %}

{% macro dimension_of_set(columns) -%}
    coalesce(policy_version, 'all') as policy_version,
    case
        {% for column in columns %}
        when {{ column }} is not null then '{{ 'position' if column == 'place' else column }}'
        {% endfor %}
        else 'all'
    end as dimension,
    coalesce({{ columns | join(', ') }}, 'all') as value
{%- endmacro %}

{# CTEs up to `members`: which readers are in which groups of each day. `shown` has slate_date, reader_key and all
   parts. What all places of a slate have alike is counted by slate, not by place. #}
{% macro members_of_groups(shown) -%}
visits as (

    select
        reader_key,
        policy_version,
        {{ slate_columns() | join(', ') }},
        slate_date
    from {{ shown }}
    group by slate_date, reader_key, policy_version, {{ slate_columns() | join(', ') }}

),

members as (

    select
        reader_key,
        {{ dimension_of_set(slate_columns()) }},
        slate_date
    from visits
    group by slate_date, reader_key, {{ dimension_sets(slate_columns()) }}
    union all
    select
        reader_key,
        {{ dimension_of_set(place_columns()) }},
        slate_date
    from {{ shown }}
    group by slate_date, reader_key, {{ dimension_sets(place_columns(), with_whole=false) }}

)
{%- endmacro %}

{# Readers who have gone, of several days: visits add up; of those with a history one day's number is all that is sure.
   `of`: the relation with a dot, where there are several. #}
{% macro at_least_gone(of='') -%}
    coalesce(sum({{ of }}count_readers) filter (where {{ of }}is_visit), 0)
    + coalesce(max({{ of }}count_readers) filter (where not {{ of }}is_visit), 0)
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
