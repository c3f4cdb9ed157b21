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

acts as (

    select
        interactions.occurred_date,
        readers.traffic,
        count(*) as count_acts,
        count(distinct interactions.reader_key) as count_readers,
        max(interactions.source_stored_at) as newest_stored_at
    from interactions
    inner join readers
        on interactions.reader_key = readers.reader_key
    group by interactions.occurred_date, readers.traffic
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
