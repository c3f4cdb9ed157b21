{# What readers who keep a history answered by period and action, and how much of it belongs to no place shown. Of acts
   that have gone it is not known whether they belonged to one, and visits go soon after they are over. #}
{% macro organic_by_period(period) -%}
with

acts as (

    select
        date_trunc('{{ period }}', occurred_date)::date as period_start_date,
        action,
        reader_key,
        is_recommended,
        source_stored_at
    from {{ ref('int_acts_of_readers') }}
    where
        reader_key is not null
        and left(reader_key, 2) != 's_'
        and {{ is_to_make('occurred_date', 'period_start_date', period) }}

),

actions as (

    select * from {{ ref('dim_actions') }}

),

-- What is distinct is grouped first: counted as it stands, all acts would be sorted for it.
by_reader as (

    select
        acts.period_start_date,
        acts.action,
        acts.reader_key,
        count(*) as count_acts,
        count(*) filter (where not acts.is_recommended) as count_organic,
        max(acts.source_stored_at) as newest_stored_at
    from acts
    inner join actions
        on acts.action = actions.action
    where actions.is_answer
    group by acts.period_start_date, acts.action, acts.reader_key

)

select
    period_start_date,
    action,
    count(*)::bigint as count_readers,
    count(*) filter (where count_organic > 0)::bigint as count_readers_organic,
    count(*) filter (where count_organic < count_acts)::bigint as count_readers_recommended,
    sum(count_acts)::bigint as count_acts,
    sum(count_organic)::bigint as count_organic,
    max(newest_stored_at) as newest_stored_at
from by_reader
group by period_start_date, action
{%- endmacro %}
