with

sessions as (

    select * from {{ ref('stg_stream__sessions') }}

)

select
    ---------- identifiers
    session_id,
    reader_key,
    ---------- what happened
    arm,
    count_acts,
    count_shows,
    reward,
    ---------- timestamps
    started_at,
    last_act_at,
    ended_at,
    {{ utc_date('started_at') }} as started_date,
    extract(epoch from last_act_at - started_at)::double precision as duration_s
from sessions
