with

source as (

    select * from {{ source('learning', 'offpolicy_estimates') }}

),

renamed as (

    select
        ---------- identifiers
        policy_version,
        estimator,
        ---------- estimate
        value,
        low,
        high,
        effective as effective_size,
        capped as capped_share,
        can_tell,
        reason,
        ---------- what it is estimated from
        count_slates,
        count_readers,
        logged as logged_reward,
        ---------- timestamps
        reported_at
    from source

)

select * from renamed
