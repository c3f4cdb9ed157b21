-- depends_on: {{ ref('dim_dates') }} (what is made of these days looks its days up there)
with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

readers as (

    select * from {{ ref('dim_readers') }}

),

merged_works as (

    {{ merged_works() }}

),

gone_acts as (

    select * from {{ ref('stg_stream__gone_acts') }}

),

present as (

    select
        interactions.event_id,
        interactions.reader_key,
        interactions.occurred_date,
        interactions.action,
        interactions.surface,
        interactions.is_recommended,
        coalesce(merged_works.current_book_id, interactions.book_id) as book_id,
        1::bigint as count_acts,
        interactions.source_stored_at
    from interactions
    inner join readers
        on interactions.reader_key = readers.reader_key
    left join merged_works
        on interactions.book_id = merged_works.book_id
    where readers.traffic = 'reader' and not interactions.is_inferred

),

gone as (

    select
        null::uuid as event_id,
        null::text as reader_key,
        gone_acts.occurred_date,
        gone_acts.action,
        gone_acts.surface,
        null::boolean as is_recommended,
        coalesce(merged_works.current_book_id, gone_acts.book_id) as book_id,
        sum(gone_acts.count_acts)::bigint as count_acts,
        null::timestamptz as source_stored_at
    from gone_acts
    left join merged_works
        on gone_acts.book_id = merged_works.book_id
    group by
        gone_acts.occurred_date,
        gone_acts.action,
        gone_acts.surface,
        coalesce(merged_works.current_book_id, gone_acts.book_id)

)

select * from present
union all
select * from gone
