{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ take_out(ref('int_places_of_readers'), 'slate_date', 'slate_date') }}",
    )
}}

with

places as (

    select * from {{ ref('int_places_of_readers') }}
    where is_shown and {{ is_to_make('slate_date', 'slate_date') }}

),

gone_readers as (

    select
        period_start_date as slate_date,
        value as outcome,
        sum(count_readers) as count_readers
    from {{ ref('stg_stream__gone_readers') }}
    where dimension = 'outcome' and policy_version = 'all'
    group by period_start_date, value

),

by_outcome as (

    select
        slate_date,
        outcome,
        sum(count_places)::bigint as count_places,
        count(distinct book_id)::bigint as count_works,
        count(distinct reader_key)::bigint as count_readers_present,
        max(source_stored_at) as newest_stored_at
    from places
    group by slate_date, outcome

),

with_readers as (

    select
        by_outcome.slate_date,
        by_outcome.outcome,
        by_outcome.count_places,
        by_outcome.count_works,
        by_outcome.newest_stored_at,
        (by_outcome.count_readers_present + coalesce(gone_readers.count_readers, 0))::bigint as count_readers
    from by_outcome
    left join gone_readers
        on
            by_outcome.slate_date = gone_readers.slate_date
            and by_outcome.outcome = gone_readers.outcome

)

select
    slate_date,
    outcome,
    count_places,
    count_works,
    count_readers,
    {{ is_held_back('count_readers', ['slate_date'], name='outcome') }} as is_suppressed,
    newest_stored_at
from with_readers
