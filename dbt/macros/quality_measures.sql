{# The measures of recommendation quality, defined here alone; their names and meanings stand in seeds/metrics.csv.
   Counts add up over days and parts; readers do not, and are counted from the rows. #}
{% macro quality_columns() -%}
    {{ return([
        'count_places', 'count_shown', 'count_answered', 'count_opened', 'count_read', 'count_liked', 'count_skipped',
        'count_declined', 'count_fallback', 'count_answers', 'reward'
    ]) }}
{%- endmacro %}

{# Of rows that stand for `count_places` places each. #}
{% macro quality_counts() -%}
    sum(count_places)::bigint as count_places,
    coalesce(sum(count_places) filter (where is_shown), 0)::bigint as count_shown,
    coalesce(sum(count_places) filter (where outcome not in ('not shown', 'no answer')), 0)::bigint
        as count_answered,
    sum(count_opened)::bigint as count_opened,
    sum(count_read)::bigint as count_read,
    sum(count_liked)::bigint as count_liked,
    sum(count_skipped)::bigint as count_skipped,
    coalesce(sum(count_places) filter (where outcome in ('hide', 'dislike')), 0)::bigint as count_declined,
    coalesce(sum(count_places) filter (where is_fallback), 0)::bigint as count_fallback,
    sum(count_answers)::bigint as count_answers,
    sum(reward)::double precision as reward
{%- endmacro %}

{% macro quality_sums() -%}
    {%- for column in quality_columns() -%}
        sum({{ column }})::{{ 'double precision' if column == 'reward' else 'bigint' }} as {{ column }}
        {%- if not loop.last %}, {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro quality_rates() -%}
    {{ rate('count_opened', 'count_shown', 'click_rate') }},
    {{ rate('count_read', 'count_shown', 'read_rate') }},
    {{ rate('count_declined', 'count_shown', 'decline_rate') }},
    {{ rate('count_skipped', 'count_shown', 'skip_rate') }},
    {{ rate('count_fallback', 'count_places', 'fallback_share') }},
    round((reward / nullif(count_shown, 0))::numeric, 6)::double precision as reward_per_place
{%- endmacro %}
