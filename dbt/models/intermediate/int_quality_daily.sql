{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['slate_date']}],
        pre_hook="{{ take_out(ref('int_places_of_readers'), 'slate_date', 'slate_date') }}",
    )
}}

with

places as (

    select
        places.slate_date,
        places.reader_key,
        places.policy_version,
        places.outcome,
        places.is_shown,
        places.is_fallback,
        places.count_places,
        places.count_opened,
        places.count_read,
        places.count_liked,
        places.count_skipped,
        places.count_answers,
        places.reward,
        places.source_stored_at,
        {{ dimension_parts('places', 'works') }}
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
        {{ dimension_columns() | join(',\n        ') }},
        {{ quality_counts() }},
        max(source_stored_at) as newest_stored_at
    from places
    group by slate_date, policy_version, {{ dimension_columns() | join(', ') }}

),

counted as (

    select
        slate_date,
        {{ dimension_of_set(dimension_columns()) }},
        {{ quality_sums() }},
        max(newest_stored_at) as newest_stored_at
    from condensed
    group by slate_date, {{ dimension_sets(dimension_columns()) }}

),

shown as not materialized (

    select
        slate_date,
        reader_key,
        policy_version,
        {{ dimension_columns() | join(',\n        ') }}
    from places
    where is_shown and reader_key is not null

),

{{ members_of_groups('shown') }},

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

{{ with_readers('slate_date') }},

{{ held_back('with_readers', 'slate_date', flag='is_held_in_day') }}

select
    slate_date,
    policy_version,
    dimension,
    value,
    count_readers,
    {{ quality_columns() | join(',\n    ') }},
    is_held_in_day,
    newest_stored_at
from held_back
