{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ take_out(ref('int_places_of_readers'), 'slate_date', 'week_start_date', 'week',
                              (ref('int_acts_of_readers'), 'occurred_date'), and_later=true) }}",
    )
}}

-- Shares, not readers, are what this is about: what is seen here is the same for a few readers and for many.
with

works_shown as (

    select * from {{ ref('int_works_shown_weekly') }}
    {% if is_incremental() %}
        -- Not by the days to make, as facts are: there is no index, and each row would be sought among all days.
        where week_start_date not in (select loaded.week_start_date from {{ this }} as loaded)
    {% endif %}

),

opens_by_week as (

    select * from {{ ref('int_works_opened_weekly') }}

),

readers as (

    select * from {{ ref('int_readers_shown_weekly') }}

),

works as (

    select * from {{ ref('dim_works') }}

),

shown as (

    select
        works_shown.week_start_date,
        versions.policy_version,
        works_shown.book_id,
        sum(works_shown.count_shown)::bigint as count_shown,
        max(works_shown.newest_stored_at) as newest_stored_at
    from works_shown
    cross join lateral (values ('all'), (works_shown.policy_version)) as versions (policy_version)
    group by works_shown.week_start_date, versions.policy_version, works_shown.book_id

),

weeks as (

    select distinct week_start_date from shown

),

-- A kind of which nothing was on screen (films, where none are recommended) is no part of what could be shown.
kinds_shown as (

    select distinct
        shown.week_start_date,
        works.kind
    from shown
    inner join works
        on shown.book_id = works.book_id

),

-- The catalogue as it was by the end of a week, as far as it is known when the week is measured.
catalogue as (

    select
        weeks.week_start_date,
        count(*)::bigint as count_works
    from weeks
    inner join kinds_shown
        on weeks.week_start_date = kinds_shown.week_start_date
    inner join works
        on kinds_shown.kind = works.kind
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

-- How often a work had been opened by the end of a week, recommended or not: how popular it was by then.
opens_so_far as (

    select
        weeks.week_start_date,
        opens_by_week.book_id,
        sum(opens_by_week.count_opens)::bigint as count_opens
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
        shown.newest_stored_at,
        catalogue.count_works,
        coalesce(popularity.popularity_rank, catalogue.count_works + 1)
        > ceil({{ var('head_share') }} * catalogue.count_works) as is_long_tail,
        -ln(
            (coalesce(popularity.count_opens, 0) + 1)
            / (coalesce(opens_of_all.count_opens_of_all, 0) + catalogue.count_works)::double precision
        ) / ln(2) as surprise,
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
        sum(rank_from_least * count_shown) as ranked_places,
        max(newest_stored_at) as newest_stored_at
    from scored
    group by week_start_date, policy_version

),

with_readers as (

    select
        measured.*,
        readers.count_readers
    from measured
    inner join readers
        on
            measured.week_start_date = readers.week_start_date
            and measured.policy_version = readers.policy_version

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
        as is_suppressed,
    newest_stored_at
from with_readers
