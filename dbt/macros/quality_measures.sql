{# The measures of recommendation quality over places, the same at every grain: the counts first, then what
   follows from them. Distinct readers and works do not add up, so each grain counts from the places. #}
{% macro quality_counts() -%}
    count(distinct slate_id)::integer as count_slates,
    count(distinct reader_key)::integer as count_readers,
    count(distinct case when is_shown then reader_key end)::integer as count_readers_shown,
    count(distinct book_id)::integer as count_works,
    count(*)::integer as count_places,
    count(case when is_shown then 1 end)::integer as count_places_shown,
    count(case when is_answered then 1 end)::integer as count_answered,
    count(case when is_shown and not is_answered then 1 end)::integer as count_unanswered,
    count(case when is_opened then 1 end)::integer as count_opened,
    count(case when is_read then 1 end)::integer as count_read,
    count(case when is_liked then 1 end)::integer as count_liked,
    count(case when is_skipped then 1 end)::integer as count_skipped,
    count(case when is_fallback then 1 end)::integer as count_fallback,
    coalesce(sum(case when is_shown then reward end), 0)::double precision as reward
{%- endmacro %}

{% macro quality_rates() -%}
    {{ share('count_opened', 'count_places_shown') }} as click_rate,
    {{ wilson_bound('count_opened', 'count_places_shown', 'low') }} as click_rate_low,
    {{ wilson_bound('count_opened', 'count_places_shown', 'high') }} as click_rate_high,
    {{ share('count_read', 'count_places_shown') }} as read_rate,
    {{ wilson_bound('count_read', 'count_places_shown', 'low') }} as read_rate_low,
    {{ wilson_bound('count_read', 'count_places_shown', 'high') }} as read_rate_high,
    {{ share('count_fallback', 'count_places') }} as fallback_share,
    count_readers_shown < {{ var('min_readers') }} as is_suppressed
{%- endmacro %}
