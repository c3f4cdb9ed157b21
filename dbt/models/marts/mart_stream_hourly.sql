with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

gone_hours as (

    select * from {{ ref('stg_stream__gone_hours') }}

),

slates as (

    select * from {{ ref('stg_stream__slates') }}

),

dead_letters as (

    select * from {{ ref('stg_stream__dead_letters') }}

),

acts as (

    select
        date_trunc('hour', occurred_at, 'UTC') as hour_start_at,
        count(*) as count_acts
    from interactions
    where not is_inferred
    group by hour_start_at
    union all
    select
        occurred_hour as hour_start_at,
        count_acts
    from gone_hours

),

acts_by_hour as (

    select
        hour_start_at,
        sum(count_acts)::bigint as count_acts
    from acts
    group by hour_start_at

),

slates_by_hour as (

    select
        date_trunc('hour', event_received_at, 'UTC') as hour_start_at,
        count(*)::bigint as count_slates,
        1000 * percentile_cont(0.5) within group (order by extract(epoch from stored_at - event_received_at))
            as act_to_slate_ms_median,
        1000 * percentile_cont(0.99) within group (order by extract(epoch from stored_at - event_received_at))
            as act_to_slate_ms_p99
    from slates
    group by hour_start_at

),

dead_letters_by_hour as (

    select
        date_trunc('hour', found_at, 'UTC') as hour_start_at,
        count(*)::bigint as count_dead_letters
    from dead_letters
    group by hour_start_at

),

hours as (

    select hour_start_at from acts_by_hour
    union distinct
    select hour_start_at from slates_by_hour
    union distinct
    select hour_start_at from dead_letters_by_hour

)

select
    hours.hour_start_at,
    coalesce(acts_by_hour.count_acts, 0) as count_acts,
    coalesce(slates_by_hour.count_slates, 0) as count_slates,
    round(slates_by_hour.act_to_slate_ms_median::numeric, 1)::double precision as act_to_slate_ms_median,
    round(slates_by_hour.act_to_slate_ms_p99::numeric, 1)::double precision as act_to_slate_ms_p99,
    coalesce(dead_letters_by_hour.count_dead_letters, 0) as count_dead_letters
from hours
left join acts_by_hour
    on hours.hour_start_at = acts_by_hour.hour_start_at
left join slates_by_hour
    on hours.hour_start_at = slates_by_hour.hour_start_at
left join dead_letters_by_hour
    on hours.hour_start_at = dead_letters_by_hour.hour_start_at
