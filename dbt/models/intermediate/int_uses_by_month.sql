{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ take_out(ref('int_acts_of_readers'), 'occurred_date', 'month_start_date', 'month') }}",
    )
}}

with

works as (

    select * from {{ ref('dim_works') }}

),

interactions as materialized (

    select
        interactions.event_id,
        interactions.reader_key,
        interactions.session_id,
        coalesce(works.current_book_id, interactions.book_id) as book_id,
        interactions.action,
        interactions.is_inferred,
        interactions.occurred_at,
        interactions.occurred_date
    from {{ ref('fct_interactions') }} as interactions
    inner join {{ ref('dim_readers') }} as readers
        on interactions.reader_key = readers.reader_key
    left join works
        on interactions.book_id = works.book_id
    where
        readers.traffic = 'reader'
        and interactions.action != 'show'
        and {{ is_to_make('interactions.occurred_date', 'month_start_date', 'month') }}

),

gone_uses as (

    select
        gone_uses.month_start_date,
        coalesce(works.current_book_id, gone_uses.book_id) as book_id,
        gone_uses.count_investigations,
        gone_uses.count_requests,
        gone_uses.count_unique_investigations,
        gone_uses.count_unique_requests
    from {{ ref('stg_stream__gone_uses') }} as gone_uses
    left join works
        on gone_uses.book_id = works.book_id
    where {{ is_to_make('month_start_date', 'month_start_date', 'month') }}

),

gone_readers as (

    select * from {{ ref('stg_stream__gone_readers') }}
    where {{ is_to_make('period_start_date', 'month_start_date', 'month') }}

),

uses as (

    {{ uses_of_acts('interactions') }}
    union all
    select
        month_start_date,
        book_id,
        count_investigations,
        count_requests,
        count_unique_investigations,
        count_unique_requests
    from gone_uses

),

used as (

    select
        uses.month_start_date,
        groups.dimension,
        groups.value,
        sum(uses.count_investigations)::bigint as total_item_investigations,
        sum(uses.count_requests)::bigint as total_item_requests,
        sum(uses.count_unique_investigations)::bigint as unique_item_investigations,
        sum(uses.count_unique_requests)::bigint as unique_item_requests,
        count(distinct uses.book_id)::bigint as count_works
    from uses
    left join works
        on uses.book_id = works.book_id
    cross join
        lateral (
            values
            ('all', 'all'),
            ('subject', coalesce(works.principal_subject, 'none')),
            ('language', coalesce(works.language, 'unknown'))
        ) as groups (dimension, value)
    group by uses.month_start_date, groups.dimension, groups.value

),

reach as (

    {{ reach_of_acts('interactions', 'works') }}

),

reached as (

    select
        period_start_date as month_start_date,
        dimension,
        value,
        count(*) as count_readers
    from reach
    group by period_start_date, dimension, value
    union all
    -- Visits add up, and readers with a history are counted as gone when the last of their month has gone.
    select
        period_start_date as month_start_date,
        dimension,
        value,
        count_readers
    from gone_readers
    where dimension in ('readers of a month', 'subjects of a month', 'languages of a month')

),

active_readers as (

    select
        reached.month_start_date,
        case reached.dimension
            when 'readers of a month' then 'all'
            when 'subjects of a month' then 'subject'
            else 'language'
        end as dimension,
        reached.value,
        sum(reached.count_readers)::bigint as count_readers
    from reached
    group by reached.month_start_date, reached.dimension, reached.value

),

newest as (

    select
        date_trunc('month', occurred_date)::date as month_start_date,
        max(source_stored_at) as newest_stored_at
    from {{ ref('fct_interactions') }}
    where {{ is_to_make('occurred_date', 'month_start_date', 'month') }}
    group by month_start_date

)

select
    active_readers.month_start_date,
    active_readers.dimension,
    active_readers.value,
    active_readers.count_readers,
    coalesce(used.total_item_investigations, 0) as total_item_investigations,
    coalesce(used.total_item_requests, 0) as total_item_requests,
    coalesce(used.unique_item_investigations, 0) as unique_item_investigations,
    coalesce(used.unique_item_requests, 0) as unique_item_requests,
    coalesce(used.count_works, 0) as count_works,
    newest.newest_stored_at
from active_readers
left join used
    on
        active_readers.month_start_date = used.month_start_date
        and active_readers.dimension = used.dimension
        and active_readers.value = used.value
left join newest
    on active_readers.month_start_date = newest.month_start_date
