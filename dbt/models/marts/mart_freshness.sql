with

interactions as (

    select
        count(*) as count_acts,
        max(occurred_at) as newest_act_at,
        max(source_stored_at) as newest_stored_at
    from {{ ref('fct_interactions') }}

),

places as (

    select
        count(distinct slate_id) as count_slates,
        count(*) as count_places
    from {{ ref('fct_slate_places') }}

)

select
    now() as built_at,
    interactions.count_acts,
    interactions.newest_act_at,
    interactions.newest_stored_at,
    places.count_slates,
    places.count_places
from interactions
cross join places
