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

newest as (

    select
        greatest(
            (select max(places.slate_date) from places),
            (select max(acts.occurred_date) from acts)
        ) - 7 * {{ var('usual_weeks', 4) }} as after_date

),

drawn as (

    select
        places.book_id,
        max(places.slate_date) filter (where places.is_shown) as last_shown_date,
        coalesce(sum(places.count_places) filter (where places.slate_date > newest.after_date), 0)::bigint
            as count_drawn_recent,
        coalesce(
            sum(places.count_places) filter (where places.is_shown and places.slate_date > newest.after_date), 0
        )::bigint as count_shown_recent
    from places
    cross join newest
    where {{ is_drawn('places.source') }}
    group by places.book_id

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
    cross join newest
    where
        acts.action in ('open', 'read', 'finish')
        and acts.book_id is not null
        and acts.occurred_date > newest.after_date
    group by acts.book_id

)

select
    works.book_id,
    works.title,
    works.authors_text,
    works.language,
    works.principal_subject,
    works.added_at,
    drawn.last_shown_date,
    coalesce(drawn.count_drawn_recent, 0) as count_drawn_recent,
    coalesce(drawn.count_shown_recent, 0) as count_shown_recent,
    coalesce(opened.count_opens_recent, 0) as count_opens_recent,
    coalesce(opened.count_readers_recent, 0) as count_readers_recent,
    coalesce(opened.count_readers_recent, 0) > 0
    and coalesce(opened.count_readers_recent, 0) < {{ var('min_readers') }} as is_suppressed
from works
left join drawn
    on works.book_id = drawn.book_id
left join opened
    on works.book_id = opened.book_id
where works.is_active
