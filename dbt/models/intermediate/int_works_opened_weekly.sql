{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ take_out(ref('int_acts_of_readers'), 'occurred_date', 'week_start_date', 'week') }}",
    )
}}

with

acts as (

    select * from {{ ref('int_acts_of_readers') }}
    where
        action in ('open', 'read', 'finish')
        and book_id is not null
        and {{ is_to_make('occurred_date', 'week_start_date', 'week') }}

)

select
    date_trunc('week', occurred_date)::date as week_start_date,
    book_id,
    sum(count_acts)::bigint as count_opens,
    max(source_stored_at) as newest_stored_at
from acts
group by week_start_date, book_id
