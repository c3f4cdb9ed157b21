-- depends_on: {{ ref('dim_dates') }} (what is made of these days looks its days up there)
with

slate_places as (

    select * from {{ ref('fct_slate_places') }}

),

readers as (

    select * from {{ ref('dim_readers') }}

),

gone_places as (

    select * from {{ ref('stg_stream__gone_places') }}

),

present as (

    select
        slate_places.slate_id,
        slate_places.reader_key,
        slate_places.slate_date,
        slate_places.policy_version,
        slate_places.arm,
        slate_places.surface,
        slate_places.position,
        slate_places.source,
        slate_places.book_id,
        slate_places.is_fallback,
        slate_places.outcome,
        slate_places.is_shown,
        1::bigint as count_places,
        slate_places.is_opened::integer::bigint as count_opened,
        slate_places.is_read::integer::bigint as count_read,
        slate_places.is_liked::integer::bigint as count_liked,
        slate_places.is_skipped::integer::bigint as count_skipped,
        slate_places.count_answers::bigint as count_answers,
        slate_places.reward,
        slate_places.source_stored_at
    from slate_places
    inner join readers
        on slate_places.reader_key = readers.reader_key
    where readers.traffic = 'reader'

),

gone as (

    select
        null::uuid as slate_id,
        null::text as reader_key,
        slate_date,
        policy_version,
        arm,
        surface,
        position,
        source,
        book_id,
        is_fallback,
        outcome,
        outcome != 'not shown' as is_shown,
        count_places,
        count_opened,
        count_read,
        count_liked,
        count_skipped,
        count_answers,
        reward,
        null::timestamptz as source_stored_at
    from gone_places

)

select * from present
union all
select * from gone
