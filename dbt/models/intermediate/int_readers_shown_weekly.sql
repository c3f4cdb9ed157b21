{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ take_out(ref('int_places_of_readers'), 'slate_date', 'week_start_date', 'week') }}",
    )
}}

with

{{ drawn_by_week() }},

gone_readers as (

    select * from {{ ref('stg_stream__gone_readers') }}

),

-- What is distinct is grouped first: counted as it stands, all places would be sorted for it.
members as (

    select
        week_start_date,
        policy_version,
        reader_key,
        max(source_stored_at) as newest_stored_at
    from places
    group by week_start_date, reader_key, grouping sets ((policy_version), ())

),

readers_present as (

    select
        week_start_date,
        coalesce(policy_version, 'all') as policy_version,
        count(reader_key) as count_readers,
        max(newest_stored_at) as newest_stored_at
    from members
    group by week_start_date, policy_version

),

readers_gone as (

    select
        date_trunc('week', period_start_date)::date as week_start_date,
        policy_version,
        {{ at_least_gone() }} as count_readers
    from gone_readers
    where dimension = 'all'
    group by week_start_date, policy_version

)

select
    readers_present.week_start_date,
    readers_present.policy_version,
    (readers_present.count_readers + coalesce(readers_gone.count_readers, 0))::bigint as count_readers,
    readers_present.newest_stored_at
from readers_present
left join readers_gone
    on
        readers_present.week_start_date = readers_gone.week_start_date
        and readers_present.policy_version = readers_gone.policy_version
