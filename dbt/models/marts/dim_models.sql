-- Every registered model, and every policy version that a slate names without one being registered.
with

models as (

    select * from {{ ref('stg_learning__models') }}

),

promotions as (

    select * from {{ ref('fct_promotions') }}

),

slate_places as (

    select * from {{ ref('fct_slate_places') }}

),

promotions_by_version as (

    select
        version,
        min(promoted_at) as first_promoted_at,
        count(*)::integer as count_promotions
    from promotions
    group by version

),

versions as (

    select
        version,
        kind,
        parent_version,
        status,
        created_at
    from models
    union all
    select
        slate_places.policy_version as version,
        'policy' as kind,
        null as parent_version,
        'unregistered' as status,
        min(slate_places.slate_created_at) as created_at
    from slate_places
    left join models
        on slate_places.policy_version = models.version
    where models.version is null
    group by slate_places.policy_version

)

select
    versions.version,
    versions.kind,
    versions.parent_version,
    versions.status,
    versions.created_at,
    promotions_by_version.first_promoted_at,
    coalesce(promotions_by_version.count_promotions, 0) as count_promotions
from versions
left join promotions_by_version
    on versions.version = promotions_by_version.version
