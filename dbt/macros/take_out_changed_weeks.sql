{# Before slates are measured by week: the weeks of which something was stored since are taken out, to be made anew. #}
{% macro take_out_changed_weeks() -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }} as made
        where made.week_start_date in (
            select date_trunc('week', places.slate_date)::date
            from {{ ref('int_places_of_readers') }} as places
            where places.source_stored_at >= {{ remake_from() }}
        )
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}
