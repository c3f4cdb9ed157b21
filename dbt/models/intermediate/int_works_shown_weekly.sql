{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ take_out(ref('int_places_of_readers'), 'slate_date', 'week_start_date', 'week') }}",
    )
}}

with

{{ drawn_by_week() }}

select
    week_start_date,
    policy_version,
    book_id,
    sum(count_places)::bigint as count_shown,
    max(slate_date) as last_date,
    max(source_stored_at) as newest_stored_at
from places
group by week_start_date, policy_version, book_id
