-- depends_on: {{ ref('dim_dates') }} (what is made of these days looks its days up there)
with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

readers as (

    select * from {{ ref('dim_readers') }}

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
        interactions.book_id,
        1::bigint as count_acts,
        interactions.source_stored_at
    from interactions
    inner join readers
        on interactions.reader_key = readers.reader_key
    where readers.traffic = 'reader' and not interactions.is_inferred

),

gone as (

    select
        null::uuid as event_id,
        null::text as reader_key,
        occurred_date,
        action,
        surface,
        book_id,
        count_acts,
        null::timestamptz as source_stored_at
    from gone_acts

)

select * from present
union all
select * from gone
