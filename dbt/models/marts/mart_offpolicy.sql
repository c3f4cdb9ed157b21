with

estimates as (

    select * from {{ ref('stg_learning__offpolicy_estimates') }}

),

numbered as (

    select
        *,
        dense_rank() over (order by reported_at desc)::integer as recency
    from estimates

)

select
    reported_at,
    policy_version,
    estimator,
    value,
    low,
    high,
    effective_size,
    capped_share,
    can_tell,
    reason,
    count_slates,
    count_readers,
    logged_reward,
    -- The whole interval on one side of what was earned: else nothing is said.
    case
        when not can_tell or low is null or high is null or logged_reward is null then 'cannot tell'
        when low > logged_reward then 'better'
        when high < logged_reward then 'worse'
        else 'no difference'
    end as verdict,
    count_readers < {{ var('min_readers') }} as is_suppressed,
    recency
from numbered
