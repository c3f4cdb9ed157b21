{# What readers did by period and action. Skips that were only inferred are not acts of a reader. #}
{% macro acts_by_period(period) -%}
with

acts as (

    select
        date_trunc('{{ period }}', occurred_date)::date as period_start_date,
        action,
        reader_key,
        book_id,
        count_acts,
        source_stored_at
    from {{ ref('int_acts_of_readers') }}
    where {{ is_to_make('occurred_date', 'period_start_date', period) }}

),

gone_readers as (

    select
        period_start_date,
        value as action,
        sum(count_readers) as count_readers
    from {{ ref('stg_stream__gone_readers') }}
    where dimension = 'acts of a {{ period }}'
    group by period_start_date, value

),

-- What is distinct is grouped first: counted as it stands, all acts would be sorted for it.
acts_of_readers as (

    select
        period_start_date,
        action,
        reader_key,
        sum(count_acts) as count_acts,
        max(source_stored_at) as newest_stored_at
    from acts
    group by period_start_date, action, reader_key

),

by_action as (

    select
        period_start_date,
        action,
        sum(count_acts)::bigint as count_acts,
        count(reader_key) as count_readers_present,
        max(newest_stored_at) as newest_stored_at
    from acts_of_readers
    group by period_start_date, action

),

works as (

    select
        period_start_date,
        action,
        book_id
    from acts
    group by period_start_date, action, book_id

),

works_by_action as (

    select
        period_start_date,
        action,
        count(book_id) as count_works
    from works
    group by period_start_date, action

),

with_readers as (

    select
        by_action.period_start_date,
        by_action.action,
        by_action.count_acts,
        works_by_action.count_works,
        by_action.newest_stored_at,
        (by_action.count_readers_present + coalesce(gone_readers.count_readers, 0))::bigint as count_readers
    from by_action
    inner join works_by_action
        on
            by_action.period_start_date = works_by_action.period_start_date
            and by_action.action = works_by_action.action
    left join gone_readers
        on
            by_action.period_start_date = gone_readers.period_start_date
            and by_action.action = gone_readers.action

)

select
    period_start_date,
    action,
    count_acts,
    count_readers,
    count_works,
    round(count_acts::numeric / nullif(count_readers, 0), 4)::double precision as acts_per_reader,
    count_readers < {{ var('min_readers') }} as is_suppressed,
    newest_stored_at
from with_readers
{%- endmacro %}
