{# What the readers of an experiment were shown and did: each reader is one observation, so that rates over places,
   which a reader has many of, still have honest intervals (delta method). #}
{% macro exposure_of_readers(places) -%}
    select
        experiment_id,
        arm,
        reader_key,
        count(*) as count_places,
        count(*) filter (where is_fallback) as count_fallback,
        count(*) filter (where is_shown) as count_shown,
        count(*) filter (where is_opened) as count_opened,
        count(*) filter (where is_read) as count_read,
        count(*) filter (where is_skipped) as count_skipped,
        count(*) filter (where outcome in ('hide', 'dislike')) as count_declined
    from {{ places }} as places
    where experiment_id is not null and {{ is_drawn('source') }}
    group by experiment_id, arm, reader_key
{%- endmacro %}

{% macro exposure_columns() -%}
    {{ return([
        'count_places', 'count_fallback', 'count_shown', 'count_opened', 'count_read', 'count_skipped',
        'count_declined', 'shown_squared', 'opened_squared', 'shown_times_opened'
    ]) }}
{%- endmacro %}

{% macro exposure_sums() -%}
    sum(count_places)::bigint as count_places,
    sum(count_fallback)::bigint as count_fallback,
    sum(count_shown)::bigint as count_shown,
    sum(count_opened)::bigint as count_opened,
    sum(count_read)::bigint as count_read,
    sum(count_skipped)::bigint as count_skipped,
    sum(count_declined)::bigint as count_declined,
    sum(count_shown::double precision * count_shown) as shown_squared,
    sum(count_opened::double precision * count_opened) as opened_squared,
    sum(count_shown::double precision * count_opened) as shown_times_opened
{%- endmacro %}

{% macro exposure_totals() -%}
    {%- for column in exposure_columns() -%}
        sum({{ column }})::{{ 'bigint' if column.startswith('count_') else 'double precision' }} as {{ column }}
        {%- if not loop.last %}, {% endif -%}
    {%- endfor -%}
{%- endmacro %}
