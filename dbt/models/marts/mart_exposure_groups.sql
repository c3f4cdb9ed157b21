with

recent as (

    select * from {{ ref('mart_quality_recent') }}
    where dimension in ('subject', 'language')

),

days as (

    select * from {{ ref('mart_quality_daily') }}

),

weeks_of_works as (

    select * from {{ ref('int_works_shown_weekly') }}

),

-- Of kinds that are shown: where no films are recommended, they are no part of what could be.
works as (

    select works.*
    from {{ ref('dim_works') }} as works
    where
        works.kind in (
            select shown_works.kind
            from {{ ref('dim_works') }} as shown_works
            inner join weeks_of_works
                on shown_works.book_id = weeks_of_works.book_id
        )

),

catalogue as (

    select
        groups.dimension,
        groups.value,
        count(*)::bigint as count_works
    from works
    cross join
        lateral (
            values ('subject', coalesce(works.principal_subject, 'none')),
            ('language', coalesce(works.language, 'unknown'))
        ) as groups (dimension, value)
    where works.is_active
    group by groups.dimension, groups.value

),

catalogue_of_all as (

    select count(*)::bigint as count_works from works
    where is_active

),

newest as (

    select max(slate_date) as newest_date from days

),

-- When a work of the present catalogue was last on screen says in which periods it was.
last_shown as (

    select
        versions.policy_version,
        weeks_of_works.book_id,
        works.principal_subject,
        works.language,
        max(weeks_of_works.last_date) as last_date
    from weeks_of_works
    inner join works
        on weeks_of_works.book_id = works.book_id and works.is_active
    cross join lateral (values ('all'), (weeks_of_works.policy_version)) as versions (policy_version)
    where
        weeks_of_works.last_date > (
            select newest.newest_date - 7 * {{ var('recent_weeks') | max }} from newest
        )
    group by versions.policy_version, weeks_of_works.book_id, works.principal_subject, works.language

),

works_shown as (

    select
        weeks.weeks,
        last_shown.policy_version,
        groups.dimension,
        groups.value,
        count(*)::bigint as count_works_shown
    from last_shown
    cross join newest
    cross join lateral (values ({{ var('recent_weeks') | join('), (') }})) as weeks (weeks)
    cross join
        lateral (
            values
            ('subject', coalesce(last_shown.principal_subject, 'none')),
            ('language', coalesce(last_shown.language, 'unknown'))
        ) as groups (dimension, value)
    where last_shown.last_date > newest.newest_date - 7 * weeks.weeks
    group by weeks.weeks, last_shown.policy_version, groups.dimension, groups.value

),

periods as (

    select
        weeks,
        policy_version,
        dimension,
        sum(count_shown)::bigint as count_shown_of_all
    from recent
    group by weeks, policy_version, dimension

),

-- A group of the catalogue of which nothing was on screen is a row, too.
every_group as (

    select
        periods.weeks,
        periods.policy_version,
        periods.dimension,
        periods.count_shown_of_all,
        catalogue.value,
        catalogue.count_works
    from periods
    inner join catalogue
        on periods.dimension = catalogue.dimension

)

select
    every_group.weeks,
    every_group.policy_version,
    every_group.dimension,
    every_group.value,
    every_group.count_works,
    coalesce(works_shown.count_works_shown, 0) as count_works_shown,
    {{ share('coalesce(works_shown.count_works_shown, 0)', 'every_group.count_works') }} as coverage,
    {{ share('every_group.count_works', 'catalogue_of_all.count_works') }} as share_of_catalogue,
    coalesce(recent.count_readers, 0) as count_readers,
    coalesce(recent.count_shown, 0) as count_shown,
    {{ rate('coalesce(recent.count_shown, 0)', 'every_group.count_shown_of_all', 'share_of_places') }},
    coalesce(recent.is_suppressed, false) as is_suppressed
from every_group
cross join catalogue_of_all
left join recent
    on
        every_group.weeks = recent.weeks
        and every_group.policy_version = recent.policy_version
        and every_group.dimension = recent.dimension
        and every_group.value = recent.value
left join works_shown
    on
        every_group.weeks = works_shown.weeks
        and every_group.policy_version = works_shown.policy_version
        and every_group.dimension = works_shown.dimension
        and every_group.value = works_shown.value
