with

works as (

    select * from {{ ref('dim_works') }}

),

places as (

    select * from {{ ref('int_places_of_readers') }}

),

acts as (

    select * from {{ ref('int_acts_of_readers') }}

),

works_shown as (

    select * from {{ ref('int_works_shown_weekly') }}

),

newest as (

    select
        greatest(
            (select max(days.slate_date) from {{ ref('mart_quality_daily') }} as days),
            (select max(days.period_start_date) from {{ ref('mart_readers_daily') }} as days)
        ) - 7 * {{ var('usual_weeks') }} as after_date

),

shown as (

    select
        book_id,
        max(last_date) as last_shown_date
    from works_shown
    group by book_id

),

-- A kind of which nothing was ever on screen (films, where none are recommended) is not hidden: it is not meant.
kinds_shown as (

    select distinct works.kind
    from works
    inner join shown
        on works.book_id = shown.book_id

),

drawn as (

    select
        book_id,
        sum(count_places)::bigint as count_drawn_recent,
        coalesce(sum(count_places) filter (where is_shown), 0)::bigint as count_shown_recent
    from places
    where {{ is_drawn('source') }} and slate_date > (select newest.after_date from newest)
    group by book_id

),

-- Of readers who have gone, each day with an act was another visit at least.
opened as (

    select
        acts.book_id,
        sum(acts.count_acts)::bigint as count_opens_recent,
        (
            count(distinct acts.reader_key)
            + count(distinct acts.occurred_date) filter (where acts.reader_key is null)
        )::bigint as count_readers_recent
    from acts
    where
        acts.action in ('open', 'read', 'finish')
        and acts.book_id is not null
        and acts.occurred_date > (select newest.after_date from newest)
    group by acts.book_id

)

select
    works.book_id,
    works.title,
    works.authors_text,
    works.language,
    works.principal_subject,
    works.added_at,
    shown.last_shown_date,
    coalesce(drawn.count_drawn_recent, 0) as count_drawn_recent,
    coalesce(drawn.count_shown_recent, 0) as count_shown_recent,
    coalesce(opened.count_opens_recent, 0) as count_opens_recent,
    coalesce(opened.count_readers_recent, 0) as count_readers_recent,
    coalesce(opened.count_readers_recent, 0) > 0
    and coalesce(opened.count_readers_recent, 0) < {{ var('min_readers') }} as is_suppressed
from works
left join shown
    on works.book_id = shown.book_id
left join drawn
    on works.book_id = drawn.book_id
left join opened
    on works.book_id = opened.book_id
where
    works.is_active
    and (
        works.kind in (select kinds_shown.kind from kinds_shown)
        or not exists (select 1 from kinds_shown)
    )
