{%- set alpha = 0.05 %}
with

experiments as (

    select * from {{ ref('stg_learning__experiments') }}

),

experiment_arms as (

    select * from {{ ref('stg_learning__experiment_arms') }}

),

counts as (

    select * from {{ ref('int_experiment_arms_counted') }}

),

arms as (

    select
        experiments.experiment_id,
        experiments.experiment_name,
        experiments.note,
        experiments.started_at,
        experiments.stopped_at,
        experiments.stop_reason,
        experiment_arms.arm,
        experiment_arms.policy_version,
        experiment_arms.share / sum(experiment_arms.share) over (partition by experiments.experiment_id)
            as planned_share,
        -- What serves anyway is what the others are measured against; without it, the first by name.
        row_number() over (
            partition by experiments.experiment_id
            order by experiment_arms.policy_version != 'champion', experiment_arms.arm
        ) = 1 as is_control,
        coalesce(counts.count_readers, 0) as count_readers,
        coalesce(counts.count_crossed, 0) as count_crossed,
        {% for column in exposure_columns() %}
            coalesce(counts.{{ column }}, 0) as {{ column }},
        {% endfor %}
        count(*) over (partition by experiments.experiment_id) as count_arms
    from experiments
    inner join experiment_arms
        on experiments.experiment_id = experiment_arms.experiment_id
    left join counts
        on
            experiment_arms.experiment_id = counts.experiment_id
            and experiment_arms.arm = counts.arm

),

-- The variance of a rate over places, with the reader as the unit (delta method; Deng et al. 2018, "Applying the Delta
-- Method in Metric Analytics").
with_rates as (

    select
        *,
        planned_share * sum(count_readers) over (partition by experiment_id) as expected_readers,
        count_opened::double precision / nullif(count_shown, 0) as click_rate,
        case
            when count_readers > 1 and count_shown > 0
                then
                    greatest(
                        opened_squared
                        - 2 * (count_opened::double precision / count_shown) * shown_times_opened
                        + power(count_opened::double precision / count_shown, 2) * shown_squared,
                        0
                    )
                    * count_readers / (count_readers - 1.0) / power(count_shown::double precision, 2)
        end as click_rate_variance
    from arms

),

with_health as (

    select
        *,
        sum(power(count_readers - expected_readers, 2) / nullif(expected_readers, 0))
            over (partition by experiment_id) as sample_ratio_statistic,
        sum(count_crossed) over (partition by experiment_id) as count_crossed_in_all,
        bool_or(
            policy_version != 'popular'
            and count_places > 0
            and count_fallback > {{ var('max_fallback_share') }} * count_places
        ) over (partition by experiment_id) as has_fallback_arm,
        min(count_readers) over (partition by experiment_id) as fewest_readers
    from with_rates

),

with_ratio as (

    select
        *,
        {{ chi_squared_p('sample_ratio_statistic', '(count_arms - 1)') }} as sample_ratio_p,
        -- All arms against the control may err once in twenty experiments, not each of them (Bonferroni).
        {{ alpha }} / greatest(count_arms - 1, 1) as alpha_of_arm
    from with_health

),

controls as (

    select * from with_ratio
    where is_control

),

compared as (

    select
        arms.*,
        arms.click_rate - controls.click_rate as lift,
        sqrt(arms.click_rate_variance + controls.click_rate_variance) as lift_error,
        arms.count_readers + controls.count_readers as count_compared,
        (-2 * ln(arms.alpha_of_arm) + ln(-2 * ln(arms.alpha_of_arm) + 1)) / {{ var('experiment_tightest_at') }}
            as rho_squared,
        {{ wilson_bound('arms.count_declined', 'arms.count_shown', 'low') }}
        > {{ wilson_bound('controls.count_declined', 'controls.count_shown', 'high') }}
        or {{ wilson_bound('arms.count_skipped', 'arms.count_shown', 'low') }}
        > {{ wilson_bound('controls.count_skipped', 'controls.count_shown', 'high') }} as does_harm
    from with_ratio as arms
    inner join controls
        on arms.experiment_id = controls.experiment_id

),

-- An interval that holds at every moment at once, so that one may look as often as one likes and stop when it is clear:
-- the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024 ("Time-uniform central
-- limit theory and asymptotic confidence sequences", Annals of Statistics 52), theorem 2.2.
with_intervals as (

    select
        *,
        lift_error * sqrt(
            2 * (count_compared * rho_squared + 1) / nullif(count_compared * rho_squared, 0)
            * ln(sqrt(count_compared * rho_squared + 1) / alpha_of_arm)
        ) as lift_radius
    from compared

),

judged as (

    select
        *,
        coalesce(sample_ratio_p < {{ var('sample_ratio_alpha') }}, false) as is_ratio_off,
        coalesce(sample_ratio_p < {{ var('sample_ratio_alpha') }}, false)
        or count_crossed_in_all > 0
        or has_fallback_arm as is_unhealthy
    from with_intervals

)

select
    experiment_id,
    experiment_name,
    note,
    started_at,
    stopped_at,
    stop_reason,
    arm,
    policy_version,
    is_control,
    planned_share,
    count_readers,
    round(expected_readers::numeric, 1)::double precision as expected_readers,
    count_places,
    count_shown,
    count_opened,
    round(click_rate::numeric, 6)::double precision as click_rate,
    round(greatest(click_rate - 1.959963984540054 * sqrt(click_rate_variance), 0)::numeric, 6)::double precision
        as click_rate_low,
    round(least(click_rate + 1.959963984540054 * sqrt(click_rate_variance), 1)::numeric, 6)::double precision
        as click_rate_high,
    {{ rate('count_read', 'count_shown', 'read_rate') }},
    {{ rate('count_skipped', 'count_shown', 'skip_rate') }},
    {{ rate('count_declined', 'count_shown', 'decline_rate') }},
    {{ share('count_fallback', 'count_places') }} as fallback_share,
    case when not is_control then round(lift::numeric, 6)::double precision end as lift,
    case when not is_control then round((lift - lift_radius)::numeric, 6)::double precision end as lift_low,
    case when not is_control then round((lift + lift_radius)::numeric, 6)::double precision end as lift_high,
    -- What a test of 5 % finds four times out of five with as many readers (1.96 + 0.84 standard errors).
    case when not is_control then round((2.801585218 * lift_error)::numeric, 6)::double precision end
        as smallest_findable_lift,
    sample_ratio_p,
    is_ratio_off,
    count_crossed_in_all::bigint as count_crossed,
    has_fallback_arm,
    is_unhealthy,
    coalesce(does_harm, false) and not is_control as does_harm,
    case
        when is_unhealthy then 'unhealthy'
        when is_control then 'control'
        when fewest_readers < {{ var('experiment_min_readers') }} or lift_radius is null then 'too few'
        when does_harm then 'harms'
        when lift - lift_radius > 0 then 'better'
        when lift + lift_radius < 0 then 'worse'
        else 'open'
    end as verdict,
    fewest_readers < {{ var('min_readers') }} as is_suppressed
from judged
