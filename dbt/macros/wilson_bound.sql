{# A share with its 95 % Wilson score interval: three columns, null when nothing was counted. #}
{% macro rate(count_hits, count_all, name) -%}
    {{ share(count_hits, count_all) }} as {{ name }},
    {{ wilson_bound(count_hits, count_all, 'low') }} as {{ name }}_low,
    {{ wilson_bound(count_hits, count_all, 'high') }} as {{ name }}_high
{%- endmacro %}

{# One end of it. side: 'low' or 'high'. #}
{% macro wilson_bound(count_hits, count_all, side) -%}
    {%- set z = 1.959963984540054 -%}
    {%- set sign = '-' if side == 'low' else '+' -%}
    round((
        (
            {{ count_hits }}::double precision / nullif({{ count_all }}, 0)
            + {{ z * z }} / (2 * nullif({{ count_all }}, 0))
            {{ sign }} {{ z }} * sqrt(
                (
                    {{ count_hits }}::double precision * ({{ count_all }} - {{ count_hits }})
                    / nullif({{ count_all }}, 0)
                    + {{ z * z }} / 4
                )
            ) / nullif({{ count_all }}, 0)
        ) / (1 + {{ z * z }} / nullif({{ count_all }}, 0))
    )::numeric, 6)::double precision
{%- endmacro %}

{# A share, rounded as the bounds are; null when nothing was counted. #}
{% macro share(count_hits, count_all) -%}
    round(({{ count_hits }}::double precision / nullif({{ count_all }}, 0))::numeric, 6)::double precision
{%- endmacro %}
