{# By what the quality of recommendations can be looked at; `rows` has the place, `works` what it is about. #}
{% macro place_dimensions(rows, works) -%}
    ('all', 'all'),
    ('arm', {{ rows }}.arm),
    ('surface', {{ rows }}.surface),
    ('position', ({{ rows }}.position + 1)::text),
    ('language', coalesce({{ works }}.language, 'unknown')),
    ('subject', coalesce({{ works }}.principal_subject, 'none'))
{%- endmacro %}

{# What was drawn by a policy or stood in for it; what staff put there is nobody's recommendation. #}
{% macro is_drawn(source_column) -%}
    {{ source_column }} not in ('pinned', 'staff')
{%- endmacro %}
