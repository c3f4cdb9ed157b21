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

    select
        slate_date,
        outcome,
        reader_key,
        book_id,
        count_places,
        source_stored_at
    from {{ ref('int_places_of_readers') }}
    where is_shown and {{ is_drawn('source') }} and {{ is_to_make('slate_date', 'slate_date') }}

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

-- What is distinct is grouped first: counted as it stands, all places would be sorted for it.
by_reader as (

    select
        slate_date,
        outcome,
        reader_key,
        sum(count_places) as count_places,
        max(source_stored_at) as newest_stored_at
    from places
    group by slate_date, outcome, reader_key

),

by_work as (

    select
        slate_date,
        outcome,
        book_id
    from places
    group by slate_date, outcome, book_id

),

works_by_outcome as (

    select
        slate_date,
        outcome,
        count(book_id) as count_works
    from by_work
    group by slate_date, outcome

),

by_outcome as (

    select
        by_reader.slate_date,
        by_reader.outcome,
        sum(by_reader.count_places)::bigint as count_places,
        max(works_by_outcome.count_works) as count_works,
        count(by_reader.reader_key) as count_readers_present,
        max(by_reader.newest_stored_at) as newest_stored_at
    from by_reader
    inner join works_by_outcome
        on
            by_reader.slate_date = works_by_outcome.slate_date
            and by_reader.outcome = works_by_outcome.outcome
    group by by_reader.slate_date, by_reader.outcome

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
