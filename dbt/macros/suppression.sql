{# Whether a figure of a part is held back: too few readers stand behind it, or it would give one away that is (the
   whole less the others). Of a whole with such a part the smallest are held back, two at least, until those held back
   have enough readers together. `parts`: what tells one whole from another; `held`: held back already; `name`: which of
   two parts of as many readers comes first, the same in every build, or one build would tell what another holds back. #}
{% macro is_held_back(count_readers, parts, held='false', name='1') -%}
    {%- set is_small -%} ({{ held }} or {{ count_readers }} < {{ var('min_readers') }}) {%- endset -%}
    {%- set whole -%} partition by {{ parts | join(', ') }} {%- endset -%}
    {%- set smallest_first -%} {{ whole }} order by {{ is_small }} desc, {{ count_readers }} asc, {{ name }} {%- endset -%}
    (
        {{ is_small }}
        or bool_or({{ is_small }}) over ({{ whole }})
        and (
            row_number() over ({{ smallest_first }}) <= 2
            or sum({{ count_readers }}) over (
                {{ smallest_first }} rows between unbounded preceding and 1 preceding
            ) < {{ var('min_readers') }}
        )
    )
{%- endmacro %}

{# Three passes over parts that belong to two wholes: the values of a dimension make up a version's places, and the
   versions make up a value's. A CTE `held_back` with `is_suppressed` over `relation`, whose wholes are apart by
   `period`. #}
{% macro held_back(relation, period) -%}
held_in_dimension as (

    select
        *,
        {{ is_held_back('count_readers', [period, 'policy_version', 'dimension'], name='value') }} as is_held
    from {{ relation }}

),

held_in_versions as (

    select
        *,
        policy_version != 'all'
        and {{ is_held_back(
            'count_readers', [period, 'dimension', 'value', "policy_version = 'all'"], 'is_held', 'policy_version'
        ) }}
        or is_held as is_held_too
    from held_in_dimension

),

held_back as (

    select
        *,
        {{ is_held_back('count_readers', [period, 'policy_version', 'dimension'], 'is_held_too', 'value') }}
            as is_suppressed
    from held_in_versions

)
{%- endmacro %}
