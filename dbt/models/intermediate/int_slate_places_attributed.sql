{{ config(materialized='ephemeral') }}
{%- set is_partial = is_partial('fct_slate_places') %}

-- Answers come from fct_interactions, so that both facts tell of the same acts although the stream goes on.
with

{% if is_partial %}
    -- New ones, those with new acts, and those that were taken out to be made anew.
    changed as materialized (

        select slate_id from {{ ref('stg_stream__slates') }}
        where stored_at >= {{ reread_from('marts.fct_slate_places') }}
        union distinct
        select slate_id from {{ ref('fct_interactions') }}
        where
            is_recommended
            and source_stored_at >= {{ reread_from('marts.fct_slate_places') }}
        union distinct
        select slates.slate_id
        from {{ ref('stg_stream__slates') }} as slates
        where
            cardinality(slates.book_ids) > 0
            and not exists (
                select 1
                from marts.fct_slate_places as loaded
                where loaded.slate_id = slates.slate_id
            )

    ),
{% endif %}

slates as (

    select * from {{ ref('stg_stream__slates') }}
    {% if is_partial %}
        where slate_id in (select changed.slate_id from changed)
    {% endif %}

),

slate_places as (

    select * from {{ ref('stg_stream__slate_places') }}
    {% if is_partial %}
        where slate_id in (select changed.slate_id from changed)
    {% endif %}

),

interactions as (

    select * from {{ ref('fct_interactions') }}
    {% if is_partial %}
        where slate_id in (select changed.slate_id from changed)
    {% endif %}

),

assignments as (

    select * from {{ ref('stg_stream__assignments') }}

),

experiments as (

    select * from {{ ref('stg_learning__experiments') }}

),

experiment_arms as (

    select * from {{ ref('stg_learning__experiment_arms') }}

),

-- A slate belongs to the experiment that dealt its reader and ran when it was stored.
slates_of_experiments as (

    select
        slates.slate_id,
        max(experiments.experiment_id) as experiment_id
    from slates
    inner join assignments
        on slates.reader_key = assignments.reader_key
    inner join experiments
        on
            assignments.experiment_id = experiments.experiment_id
            and slates.stored_at >= experiments.started_at
            and slates.stored_at <= coalesce(experiments.stopped_at, 'infinity')
    inner join experiment_arms
        on
            experiments.experiment_id = experiment_arms.experiment_id
            and slates.arm = experiment_arms.arm
    group by slates.slate_id

),

actions as (

    select * from {{ ref('actions') }}

),

acts as (

    select
        interactions.event_id,
        interactions.slate_id,
        interactions.position,
        interactions.action,
        interactions.reward,
        interactions.occurred_at,
        interactions.source_stored_at,
        actions.strength,
        actions.is_answer and not interactions.is_inferred as is_answer
    from interactions
    inner join actions
        on interactions.action = actions.action
    where interactions.is_recommended

),

acts_by_place as (

    select
        slate_id,
        position,
        sum(reward) as reward,
        count(case when is_answer then 1 end)::integer as count_answers,
        min(case when is_answer then occurred_at end) as first_answered_at,
        max(source_stored_at) as source_stored_at,
        (
            array_agg(action order by strength desc, occurred_at asc, event_id asc)
            filter (where is_answer)
        )[1] as strongest_action,
        bool_or(is_answer and action in ('open', 'read', 'finish')) as is_opened,
        bool_or(is_answer and action in ('read', 'finish')) as is_read,
        bool_or(is_answer and action = 'like') as is_liked,
        bool_or(is_answer and action = 'skip') as is_skipped
    from acts
    group by slate_id, position

),

places_with_outcome as (

    select
        ---------- identifiers
        slate_places.slate_id,
        slate_places.position,
        slate_places.book_id,
        slates.reader_key,
        slates.session_id,
        ---------- how it was drawn
        slates.policy_version,
        slates.arm,
        slates.surface,
        slates_of_experiments.experiment_id,
        slate_places.propensity,
        slate_places.source,
        slate_places.reason,
        slate_places.reason_book_id,
        slate_places.source in ('fallback', 'popular')
        or (slate_places.source = 'random' and slate_places.reason != 'explore') as is_fallback,
        ---------- what became of it; any act on a place means that it was on screen
        acts_by_place.slate_id is not null as is_shown,
        case
            when acts_by_place.slate_id is null then 'not shown'
            else coalesce(acts_by_place.strongest_action, 'no answer')
        end as outcome,
        coalesce(acts_by_place.count_answers, 0) as count_answers,
        coalesce(acts_by_place.count_answers, 0) > 0 as is_answered,
        coalesce(acts_by_place.is_opened, false) as is_opened,
        coalesce(acts_by_place.is_read, false) as is_read,
        coalesce(acts_by_place.is_liked, false) as is_liked,
        coalesce(acts_by_place.is_skipped, false) as is_skipped,
        coalesce(acts_by_place.reward, 0)::double precision as reward,
        ---------- timestamps
        slates.created_at as slate_created_at,
        acts_by_place.first_answered_at,
        greatest(slates.stored_at, acts_by_place.source_stored_at) as source_stored_at
    from slate_places
    inner join slates
        on slate_places.slate_id = slates.slate_id
    left join slates_of_experiments
        on slate_places.slate_id = slates_of_experiments.slate_id
    left join acts_by_place
        on
            slate_places.slate_id = acts_by_place.slate_id
            and slate_places.position = acts_by_place.position

)

select * from places_with_outcome
