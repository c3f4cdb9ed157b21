{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ take_out(ref('fct_interactions'), 'occurred_date', 'occurred_date') }}",
    )
}}

-- depends_on: {{ ref('dim_dates') }}
with

interactions as (

    select * from {{ ref('fct_interactions') }}
    where not is_inferred and {{ is_to_make('occurred_date', 'occurred_date') }}

),

readers as (

    select * from {{ ref('dim_readers') }}

),

gone_traffic as (

    select * from {{ ref('stg_stream__gone_traffic') }}
    where {{ is_to_make('occurred_date', 'occurred_date') }}

),

-- By reader first: few rows are left to be joined and counted.
acts_of_readers as (

    select
        occurred_date,
        reader_key,
        count(*) as count_acts,
        max(source_stored_at) as newest_stored_at
    from interactions
    group by occurred_date, reader_key

),

acts as (

    select
        acts_of_readers.occurred_date,
        readers.traffic,
        sum(acts_of_readers.count_acts) as count_acts,
        count(*) as count_readers,
        max(acts_of_readers.newest_stored_at) as newest_stored_at
    from acts_of_readers
    inner join readers
        on acts_of_readers.reader_key = readers.reader_key
    group by acts_of_readers.occurred_date, readers.traffic
    union all
    select
        occurred_date,
        traffic,
        count_acts,
        count_readers,
        null as newest_stored_at
    from gone_traffic

)

select
    occurred_date,
    traffic,
    sum(count_acts)::bigint as count_acts,
    sum(count_readers)::bigint as count_readers,
    max(newest_stored_at) as newest_stored_at
from acts
group by occurred_date, traffic
