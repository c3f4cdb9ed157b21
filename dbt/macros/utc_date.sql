{# The UTC day of a timestamp, whatever time zone the connection has. #}
{% macro utc_date(timestamp_column) -%}
    ({{ timestamp_column }} at time zone 'utc')::date
{%- endmacro %}
