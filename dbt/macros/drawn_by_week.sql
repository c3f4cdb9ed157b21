{# CTE `places`: what was drawn and on screen, of the weeks that a model by week (`this`) is to make. #}
{% macro drawn_by_week() -%}
places as (

    select
        date_trunc('week', slate_date)::date as week_start_date,
        slate_date,
        policy_version,
        reader_key,
        book_id,
        count_places,
        source_stored_at
    from {{ ref('int_places_of_readers') }}
    where
        is_shown
        and {{ is_drawn('source') }}
        and {{ is_to_make('slate_date', 'week_start_date', 'week') }}

)
{%- endmacro %}
