{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['slate_date']}],
        pre_hook="{{ take_out(ref('int_places_of_readers'), 'counted.slate_date', 'slate_date', 'count_places',
                              \"policy_version = 'all' and dimension = 'all'\", is_drawn('counted.source')) }}",
    )
}}

with

places as (

    select
        places.*,
        works.language,
        works.principal_subject
    from {{ ref('int_places_of_readers') }} as places
    left join {{ ref('dim_works') }} as works
        on places.book_id = works.book_id
    where
        {{ is_drawn('places.source') }}
        and {{ is_to_make('places.slate_date', 'slate_date') }}

),

gone_readers as (

    select * from {{ ref('stg_stream__gone_readers') }}

),

condensed as (

    select
        slate_date,
        policy_version,
        arm,
        surface,
        position,
        language,
        principal_subject,
        {{ quality_counts() }},
        max(source_stored_at) as newest_stored_at
    from places
    group by slate_date, policy_version, arm, surface, position, language, principal_subject

),

counted as (

    select
        condensed.slate_date,
        versions.policy_version,
        dimensions.dimension,
        dimensions.value,
        {{ quality_sums() }},
        max(condensed.newest_stored_at) as newest_stored_at
    from condensed
    cross join lateral (values ('all'), (condensed.policy_version)) as versions (policy_version)
    cross join lateral (values {{ place_dimensions('condensed', 'condensed') }}) as dimensions (dimension, value)
    group by condensed.slate_date, versions.policy_version, dimensions.dimension, dimensions.value

),

shown as (

    select distinct
        slate_date,
        reader_key,
        policy_version,
        arm,
        surface,
        position,
        language,
        principal_subject
    from places
    where is_shown and reader_key is not null

),

members as (

    select distinct
        shown.slate_date,
        versions.policy_version,
        dimensions.dimension,
        dimensions.value,
        shown.reader_key
    from shown
    cross join lateral (values ('all'), (shown.policy_version)) as versions (policy_version)
    cross join lateral (values {{ place_dimensions('shown', 'shown') }}) as dimensions (dimension, value)

),

readers_present as (

    select
        slate_date,
        policy_version,
        dimension,
        value,
        count(*) as count_readers
    from members
    group by slate_date, policy_version, dimension, value

),

readers_gone as (

    select
        period_start_date as slate_date,
        policy_version,
        dimension,
        value,
        sum(count_readers) as count_readers
    from gone_readers
    group by period_start_date, policy_version, dimension, value

),

with_readers as (

    select
        counted.*,
        (coalesce(readers_present.count_readers, 0) + coalesce(readers_gone.count_readers, 0))::bigint
            as count_readers
    from counted
    left join readers_present
        on
            counted.slate_date = readers_present.slate_date
            and counted.policy_version = readers_present.policy_version
            and counted.dimension = readers_present.dimension
            and counted.value = readers_present.value
    left join readers_gone
        on
            counted.slate_date = readers_gone.slate_date
            and counted.policy_version = readers_gone.policy_version
            and counted.dimension = readers_gone.dimension
            and counted.value = readers_gone.value

),

{{ held_back('with_readers', 'slate_date') }}

select
    slate_date,
    policy_version,
    dimension,
    value,
    count_readers,
    {{ quality_columns() | join(',\n    ') }},
    {{ quality_rates() }},
    is_suppressed,
    newest_stored_at
from held_back
