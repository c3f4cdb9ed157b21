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

to_make as (

    select
        places.slate_id,
        places.reader_key,
        places.policy_version,
        places.source_stored_at,
        works.principal_subject,
        date_trunc('week', places.slate_date)::date as week_start_date,
        -- Whether the reader had it on screen on an earlier day: of some weeks each place looks in the index of readers
        -- and books, of all places it is seen from the first.
        {% if is_incremental() %}
            exists(
                select 1
                from {{ looked_up(ref('dim_works'), {'current_book_id': 'places.book_id'}) }} as parts
                cross join {{ looked_up(
                    'marts.fct_slate_places',
                    {'reader_key': 'places.reader_key', 'book_id': 'parts.book_id'},
                    'found.slate_date < places.slate_date and found.is_shown and ' ~ is_drawn('found.source')
                ) }} as earlier
            ) as is_repeated
        {% else %}
            places.slate_date > min(places.slate_date) over (partition by places.reader_key, places.book_id)
                as is_repeated
        {% endif %}
    from {{ ref('int_places_of_readers') }} as places
    left join {{ ref('dim_works') }} as works
        on places.book_id = works.book_id
    where
        places.is_shown
        and places.reader_key is not null
        and left(places.reader_key, 2) != 's_'
        and {{ is_drawn('places.source') }}
        and {{ is_to_make('places.slate_date', 'week_start_date', 'week') }}

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

by_reader as (

    select
        week_start_date,
        policy_version,
        reader_key,
        count(*) as count_shown,
        count(*) filter (where is_repeated) as count_repeated,
        max(source_stored_at) as newest_stored_at
    from to_make
    group by week_start_date, reader_key, grouping sets ((policy_version), ())

),

repetition as (

    select
        week_start_date,
        coalesce(policy_version, 'all') as policy_version,
        count(*) as count_readers,
        sum(count_shown)::bigint as count_shown,
        sum(count_repeated)::bigint as count_repeated,
        max(newest_stored_at) as newest_stored_at
    from by_reader
    group by week_start_date, policy_version

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
