{# What readers did by period and action. Skips that were only inferred are not acts of a reader. #}
{% macro acts_by_period(period) -%}
with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

acts_in_period as (

    select
        date_trunc('{{ period }}', occurred_date)::date as period_start_date,
        action,
        count(*)::integer as count_acts,
        count(distinct reader_key)::integer as count_readers,
        count(distinct book_id)::integer as count_works
    from interactions
    where not is_inferred
    group by period_start_date, action

)

select
    period_start_date,
    action,
    count_acts,
    count_readers,
    count_works,
    round(count_acts::numeric / count_readers, 4)::double precision as acts_per_reader,
    count_readers < {{ var('min_readers') }} as is_suppressed
from acts_in_period
{%- endmacro %}
