-- Shares, not readers, are what this is about: what is seen here is the same for a few readers and for many.
with

places as (

    select * from {{ ref('int_places_of_readers') }}

),

acts as (

    select * from {{ ref('int_acts_of_readers') }}

),

works as (

    select * from {{ ref('dim_works') }}

),

gone_readers as (

    select * from {{ ref('stg_stream__gone_readers') }}

),

shown as (

    select
        date_trunc('week', places.slate_date)::date as week_start_date,
        versions.policy_version,
        places.book_id,
        sum(places.count_places)::bigint as count_shown
    from places
    cross join lateral (values ('all'), (places.policy_version)) as versions (policy_version)
    where places.is_shown and {{ is_drawn('places.source') }}
    group by week_start_date, versions.policy_version, places.book_id

),

weeks as (

    select distinct week_start_date from shown

),

-- The catalogue as it was by the end of a week, as far as it is known now.
catalogue as (

    select
        weeks.week_start_date,
        count(*)::bigint as count_works
    from weeks
    cross join works
    left join shown
        on
            weeks.week_start_date = shown.week_start_date
            and works.book_id = shown.book_id
            and shown.policy_version = 'all'
    where
        shown.book_id is not null
        or works.is_active and {{ utc_date('works.added_at') }} < weeks.week_start_date + 7
    group by weeks.week_start_date

),

opens_by_week as (

    select
        date_trunc('week', occurred_date)::date as week_start_date,
        book_id,
        sum(count_acts) as count_opens
    from acts
    where action in ('open', 'read', 'finish') and book_id is not null
    group by week_start_date, book_id

),

-- How often a work had been opened by the end of a week, recommended or not: how popular it was by then.
opens_so_far as (

    select
        weeks.week_start_date,
        opens_by_week.book_id,
        sum(opens_by_week.count_opens) as count_opens
    from weeks
    inner join opens_by_week
        on weeks.week_start_date >= opens_by_week.week_start_date
    group by weeks.week_start_date, opens_by_week.book_id

),

popularity as (

    select
        week_start_date,
        book_id,
        count_opens,
        row_number() over (partition by week_start_date order by count_opens desc, book_id asc) as popularity_rank,
        sum(count_opens) over (partition by week_start_date) as count_opens_of_all
    from opens_so_far

),

opens_of_all as (

    select
        week_start_date,
        max(count_opens_of_all) as count_opens_of_all
    from popularity
    group by week_start_date

),

scored as (

    select
        shown.week_start_date,
        shown.policy_version,
        shown.count_shown,
        catalogue.count_works,
        coalesce(popularity.popularity_rank, catalogue.count_works + 1)
        > ceil({{ var('head_share', 0.2) }} * catalogue.count_works) as is_long_tail,
        -log(2, (
            (coalesce(popularity.count_opens, 0) + 1)
            / (coalesce(opens_of_all.count_opens_of_all, 0) + catalogue.count_works)::numeric
        )) as surprise,
        -- Of all works of the catalogue, those never shown first.
        catalogue.count_works
        - count(*) over (partition by shown.week_start_date, shown.policy_version)
        + row_number() over (
            partition by shown.week_start_date, shown.policy_version
            order by shown.count_shown, shown.book_id
        ) as rank_from_least
    from shown
    inner join catalogue
        on shown.week_start_date = catalogue.week_start_date
    left join popularity
        on
            shown.week_start_date = popularity.week_start_date
            and shown.book_id = popularity.book_id
    left join opens_of_all
        on shown.week_start_date = opens_of_all.week_start_date

),

measured as (

    select
        week_start_date,
        policy_version,
        max(count_works)::bigint as count_works,
        count(*)::bigint as count_works_shown,
        sum(count_shown)::bigint as count_shown,
        sum(count_shown) filter (where is_long_tail) as count_shown_long_tail,
        sum(count_shown * surprise) as surprise,
        sum(rank_from_least * count_shown) as ranked_places
    from scored
    group by week_start_date, policy_version

),

members as (

    select
        date_trunc('week', places.slate_date)::date as week_start_date,
        versions.policy_version,
        count(distinct places.reader_key) as count_readers
    from places
    cross join lateral (values ('all'), (places.policy_version)) as versions (policy_version)
    where places.is_shown and places.reader_key is not null and {{ is_drawn('places.source') }}
    group by week_start_date, versions.policy_version

),

-- Visits add up. Of readers with a history who have gone, one day's number is all that is sure.
readers_gone as (

    select
        date_trunc('week', period_start_date)::date as week_start_date,
        policy_version,
        coalesce(sum(count_readers) filter (where is_visit), 0)
        + coalesce(max(count_readers) filter (where not is_visit), 0) as count_readers
    from gone_readers
    where dimension = 'all'
    group by week_start_date, policy_version

),

with_readers as (

    select
        measured.*,
        (coalesce(members.count_readers, 0) + coalesce(readers_gone.count_readers, 0))::bigint as count_readers
    from measured
    left join members
        on
            measured.week_start_date = members.week_start_date
            and measured.policy_version = members.policy_version
    left join readers_gone
        on
            measured.week_start_date = readers_gone.week_start_date
            and measured.policy_version = readers_gone.policy_version

)

select
    week_start_date,
    policy_version,
    count_readers,
    count_shown,
    count_works,
    count_works_shown,
    {{ share('count_works_shown', 'count_works') }} as coverage,
    round((
        2 * ranked_places / (count_works * count_shown) - (count_works + 1)::numeric / count_works
    )::numeric, 6)::double precision as gini,
    {{ rate('coalesce(count_shown_long_tail, 0)', 'count_shown', 'long_tail_share') }},
    round((surprise / count_shown)::numeric, 6)::double precision as novelty,
    {{ is_held_back('count_readers', ['week_start_date', "policy_version = 'all'"], name='policy_version') }}
        as is_suppressed
from with_readers
