-- depends_on: {{ ref('dim_dates') }} (what is made of these days looks its days up there)
with

slate_places as (

    select * from {{ ref('fct_slate_places') }}

),

readers as (

    select * from {{ ref('dim_readers') }}

),

merged_works as (

    {{ merged_works() }}

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
        coalesce(merged_works.current_book_id, slate_places.book_id) as book_id,
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
    left join merged_works
        on slate_places.book_id = merged_works.book_id
    where readers.traffic = 'reader'

),

gone as (

    select
        null::uuid as slate_id,
        null::text as reader_key,
        gone_places.slate_date,
        gone_places.policy_version,
        gone_places.arm,
        gone_places.surface,
        gone_places.position,
        gone_places.source,
        coalesce(merged_works.current_book_id, gone_places.book_id) as book_id,
        gone_places.is_fallback,
        gone_places.outcome,
        gone_places.outcome != 'not shown' as is_shown,
        sum(gone_places.count_places)::bigint as count_places,
        sum(gone_places.count_opened)::bigint as count_opened,
        sum(gone_places.count_read)::bigint as count_read,
        sum(gone_places.count_liked)::bigint as count_liked,
        sum(gone_places.count_skipped)::bigint as count_skipped,
        sum(gone_places.count_answers)::bigint as count_answers,
        sum(gone_places.reward) as reward,
        null::timestamptz as source_stored_at
    from gone_places
    left join merged_works
        on gone_places.book_id = merged_works.book_id
    group by
        gone_places.slate_date,
        gone_places.policy_version,
        gone_places.arm,
        gone_places.surface,
        gone_places.position,
        gone_places.source,
        coalesce(merged_works.current_book_id, gone_places.book_id),
        gone_places.is_fallback,
        gone_places.outcome

)

select * from present
union all
select * from gone
