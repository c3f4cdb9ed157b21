{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        full_refresh=false,
        on_schema_change='append_new_columns',
        pre_hook="{{ take_out_changed_weeks() }}",
    )
}}

-- Whole slates are looked at, and one reader's slates together: that cannot be told of readers who have gone. So only
-- of those who keep a history, and a week that was measured stays as it was, unless acts of it come late.
with

places as not materialized (

    select
        places.*,
        date_trunc('week', places.slate_date)::date as week_start_date
    from {{ ref('int_places_of_readers') }} as places
    where
        places.is_shown
        and places.reader_key is not null
        and left(places.reader_key, 2) != 's_'
        and {{ is_drawn('places.source') }}

),

to_make as (

    select
        places.*,
        works.principal_subject
    from places
    left join {{ ref('dim_works') }} as works
        on places.book_id = works.book_id
    where {{ is_to_make('places.slate_date', 'week_start_date', 'week') }}

),

-- The day on which a reader first had a work on screen.
first_shown as (

    select
        places.reader_key,
        places.book_id,
        min(places.slate_date) as first_date
    from places
    where
        (places.reader_key, places.book_id) in (
            select
                to_make.reader_key,
                to_make.book_id
            from to_make
        )
    group by places.reader_key, places.book_id

),

by_subject as (

    select
        slate_id,
        week_start_date,
        policy_version,
        principal_subject,
        count(*) as count_places
    from to_make
    group by slate_id, week_start_date, policy_version, principal_subject

),

-- Of all pairs of books that were on screen together, those of one principal subject are alike.
by_slate as (

    select
        slate_id,
        week_start_date,
        policy_version,
        sum(count_places) * (sum(count_places) - 1) / 2 as count_pairs,
        coalesce(sum(count_places * (count_places - 1) / 2) filter (where principal_subject is not null), 0)
            as count_alike
    from by_subject
    group by slate_id, week_start_date, policy_version

),

diversity as (

    select
        by_slate.week_start_date,
        versions.policy_version,
        sum(by_slate.count_pairs)::bigint as count_pairs,
        sum(by_slate.count_alike)::bigint as count_alike
    from by_slate
    cross join lateral (values ('all'), (by_slate.policy_version)) as versions (policy_version)
    group by by_slate.week_start_date, versions.policy_version

),

repetition as (

    select
        to_make.week_start_date,
        versions.policy_version,
        count(*)::bigint as count_shown,
        count(distinct to_make.reader_key)::bigint as count_readers,
        count(*) filter (where first_shown.first_date < to_make.slate_date)::bigint as count_repeated,
        max(to_make.source_stored_at) as newest_stored_at
    from to_make
    inner join first_shown
        on
            to_make.reader_key = first_shown.reader_key
            and to_make.book_id = first_shown.book_id
    cross join lateral (values ('all'), (to_make.policy_version)) as versions (policy_version)
    group by to_make.week_start_date, versions.policy_version

)

select
    repetition.week_start_date,
    repetition.policy_version,
    repetition.count_readers,
    repetition.count_shown,
    repetition.count_repeated,
    {{ rate('repetition.count_repeated', 'repetition.count_shown', 'repetition_rate') }},
    diversity.count_pairs,
    diversity.count_alike,
    {{ share('(diversity.count_pairs - diversity.count_alike)', 'diversity.count_pairs') }} as diversity,
    {{ is_held_back(
        'repetition.count_readers', ['repetition.week_start_date', "repetition.policy_version = 'all'"],
        name='repetition.policy_version'
    ) }} as is_suppressed,
    repetition.newest_stored_at
from repetition
inner join diversity
    on
        repetition.week_start_date = diversity.week_start_date
        and repetition.policy_version = diversity.policy_version
