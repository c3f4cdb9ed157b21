with

source as (

    select * from {{ source('stream', 'sessions') }}

),

renamed as (

    select
        ---------- identifiers
        session_id,
        reader_key,
        ---------- what happened
        arm,
        count_acts,
        count_shows,
        reward::double precision as reward,
        ---------- timestamps
        started_at,
        last_act_at,
        ended_at
    from source

)

select * from renamed
