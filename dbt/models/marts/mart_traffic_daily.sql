with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

readers as (

    select * from {{ ref('dim_readers') }}

)

select
    interactions.occurred_date,
    readers.traffic,
    count(*)::bigint as count_acts,
    count(distinct interactions.reader_key)::bigint as count_readers
from interactions
inner join readers
    on interactions.reader_key = readers.reader_key
where not interactions.is_inferred
group by interactions.occurred_date, readers.traffic
