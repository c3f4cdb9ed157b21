{{ config(materialized='ephemeral') }}
{%- set is_partial = is_partial('fct_slate_places') %}

-- Answers come from fct_interactions, so that both facts tell of the same acts although the stream goes on.
--
-- Of some slates each looks for its places and acts by their indexes. Joined as all are, two parts that were chosen by
-- the same slates pass for one row, and one of them would be read again for every row of the other.
with

{% if is_partial %}
    -- New ones, those with new acts, and those of which an act was taken back.
    changed as (

        select slate_id from {{ ref('stg_stream__slates') }}
        where stored_at >= {{ reread_from('marts.fct_slate_places') }}
        union distinct
        select slate_id from {{ ref('fct_interactions') }}
        where
            is_recommended
            and source_stored_at >= {{ reread_from('marts.fct_slate_places') }}
        union distinct
        select slate_id from marts.fct_slate_places
        where source_stored_at = {{ to_make_anew() }}

    ),
{% endif %}

interactions as (

    select * from {{ ref('fct_interactions') }}
    where is_recommended

),

actions as (

    select * from {{ ref('actions') }}

),

-- A slate belongs to the experiment that dealt its reader and ran when it was stored.
slates as (

    select
        slates.*,
        dealt.experiment_id
    {% if is_partial %}
        from changed
        cross join {{ looked_up(ref('stg_stream__slates'), {'slate_id': 'changed.slate_id'}) }} as slates
    {% else %}
        from {{ ref('stg_stream__slates') }} as slates
    {% endif %}
    left join lateral (
        select max(experiments.experiment_id) as experiment_id
        from {{ ref('stg_stream__assignments') }} as assignments
        inner join {{ ref('stg_learning__experiments') }} as experiments
            on
                assignments.experiment_id = experiments.experiment_id
                and slates.stored_at >= experiments.started_at
                and slates.stored_at <= coalesce(experiments.stopped_at, 'infinity')
        inner join {{ ref('stg_learning__experiment_arms') }} as experiment_arms
            on
                experiments.experiment_id = experiment_arms.experiment_id
                and slates.arm = experiment_arms.arm
        where assignments.reader_key = slates.reader_key
    ) as dealt on true

),

{% if not is_partial %}
    acts_by_place as (

        select
            interactions.slate_id,
            interactions.position,
            {{ what_acts_came_to('interactions', 'actions') }}
        from interactions
        inner join actions
            on interactions.action = actions.action
        group by interactions.slate_id, interactions.position

    ),
{% endif %}

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
        slates.experiment_id,
        slate_places.propensity,
        slate_places.source,
        slate_places.reason,
        slate_places.reason_book_id,
        slate_places.source in ('fallback', 'popular')
        or (slate_places.source = 'random' and slate_places.reason != 'explore') as is_fallback,
        ---------- what became of it; any act on a place means that it was on screen
        coalesce(acts_by_place.is_shown, false) as is_shown,
        case
            when acts_by_place.is_shown then coalesce(acts_by_place.strongest_action, 'no answer')
            else 'not shown'
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
    from slates
    {% if is_partial %}
        cross join
            {{ looked_up(ref('stg_stream__slate_places'), {'slate_id': 'slates.slate_id'}) }} as slate_places
        left join lateral (
            select
                {{ what_acts_came_to('interactions', 'actions') }}
            from interactions
            inner join actions
                on interactions.action = actions.action
            where
                interactions.slate_id = slate_places.slate_id
                and interactions.position = slate_places.position
        ) as acts_by_place on true
    {% else %}
        inner join {{ ref('stg_stream__slate_places') }} as slate_places
            on slates.slate_id = slate_places.slate_id
        left join acts_by_place
            on
                slate_places.slate_id = acts_by_place.slate_id
                and slate_places.position = acts_by_place.position
    {% endif %}

)

select * from places_with_outcome
