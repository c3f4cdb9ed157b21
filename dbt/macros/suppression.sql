-- noqa: disable=LT02
{# Whether a figure of a part is held back: too few readers stand behind it, or it would give one away that is (the
   whole less the others). Of a whole with such a part the smallest are held back, two at least, and with them the first
   that has enough readers by itself: those of several small parts may all be the same few. `parts`: what tells one whole
   from another; `held`: held back already; `name`: which of two parts of as many readers comes first, the same in every
   build, or one build would tell what another holds back. #}
{% macro is_held_back(count_readers, parts, held='false', name='1') -%}
    {%- set is_small -%} ({{ held }} or {{ count_readers }} < {{ var('min_readers') }}) {%- endset -%}
    {%- set whole -%} partition by {{ parts | join(', ') }} {%- endset -%}
    {%- set smallest_first -%} {{ whole }} order by {{ is_small }} desc, {{ count_readers }} asc, {{ name }} {%- endset -%}
    (
        {{ is_small }}
        or bool_or({{ is_small }}) over ({{ whole }})
        and (
            row_number() over ({{ smallest_first }}) <= 2
            or max({{ count_readers }}) over (
                {{ smallest_first }} rows between unbounded preceding and 1 preceding
            ) < {{ var('min_readers') }}
        )
    )
{%- endmacro %}

{# Three passes over parts that belong to two wholes: the values of a dimension make up a version's places, and the
   versions make up a value's. A CTE `name` with the column `flag` over `relation`, whose wholes are apart by `period`;
   `held`: a column of what is held back already. #}
{% macro held_back(relation, period, held='false', name='held_back', flag='is_suppressed') -%}
{{ name }}_in_dimension as (

    select
        *,
        {{ is_held_back('count_readers', [period, 'policy_version', 'dimension'], held, 'value') }}
            as {{ flag }}_in_dimension
    from {{ relation }}

),

{{ name }}_in_versions as (

    select
        *,
        policy_version != 'all'
        and {{ is_held_back(
            'count_readers', [period, 'dimension', 'value', "policy_version = 'all'"], flag ~ '_in_dimension',
            'policy_version'
        ) }}
        or {{ flag }}_in_dimension as {{ flag }}_in_versions
    from {{ name }}_in_dimension

),

{{ name }} as (

    select
        *,
        {{ is_held_back(
            'count_readers', [period, 'policy_version', 'dimension'], flag ~ '_in_versions', 'value'
        ) }} as {{ flag }}
    from {{ name }}_in_versions

)
{%- endmacro %}

{# Days are parts of longer times, too, which pages show whole. The last weeks (var recent_weeks) begin at different
   days and end at one, so that each is the one before and a stretch: the day before the stretch in which `day` lies. #}
{% macro stretch_of(day, newest_date) -%}
    case
        {% for weeks in var('recent_weeks') | sort %}
        when {{ day }} > {{ newest_date }} - {{ 7 * weeks }} then {{ newest_date }} - {{ 7 * weeks }}
        {% endfor %}
    end
{%- endmacro %}

{# One pass over the days of each stretch, and of each week, since weeks are shown whole of everything and of versions.
   A CTE `name` with the column `flag`, of rows with slate_date and stretch_after_date, of which some are held back. #}
{% macro held_back_in_time(relation, held, name, flag) -%}
{{ name }}_in_stretch as (

    select
        *,
        {{ is_held_back(
            'count_readers', ['stretch_after_date', 'policy_version', 'dimension', 'value'], held, 'slate_date'
        ) }} as {{ flag }}_in_stretch
    from {{ relation }}

),

{{ name }} as (

    select
        *,
        {{ flag }}_in_stretch
        or dimension = 'all'
        and {{ is_held_back(
            'count_readers', ["date_trunc('week', slate_date)", 'policy_version', 'dimension'], flag ~ '_in_stretch',
            'slate_date'
        ) }} as {{ flag }}
    from {{ name }}_in_stretch

)
{%- endmacro %}
