-- Every registered model, and every policy version that a slate names without one being registered.
with

models as (

    select * from {{ ref('stg_learning__models') }}

),

promotions as (

    select * from {{ ref('fct_promotions') }}

),

-- Of what was told before, the versions are known.
slate_places as (

    select * from {{ ref('fct_slate_places') }}
    {% if is_there('dim_models') %}
        where source_stored_at >= {{ tested_until() }}
    {% endif %}

),

before as (

    {% if is_there('dim_models') %}
        select
            version as policy_version,
            created_at as first_slate_at
        from marts.dim_models
        where status = 'unregistered'
    {% else %}
        select
            null::text as policy_version,
            null::timestamptz as first_slate_at
        where false
    {% endif %}

),

promotions_by_version as (

    select
        version,
        min(promoted_at) as first_promoted_at,
        count(*)::integer as count_promotions
    from promotions
    group by version

),

gone_places as (

    select * from {{ ref('stg_stream__gone_places') }}

),

-- Those of which nothing is there any more are named by the marts all the same.
served as (

    select
        policy_version,
        min(slate_created_at) as first_slate_at
    from slate_places
    group by policy_version
    union all
    select
        policy_version,
        min(slate_date)::timestamp at time zone 'utc' as first_slate_at
    from gone_places
    group by policy_version
    union all
    select
        policy_version,
        first_slate_at
    from before

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
        served.policy_version as version,
        'policy' as kind,
        null as parent_version,
        'unregistered' as status,
        min(served.first_slate_at) as created_at
    from served
    left join models
        on served.policy_version = models.version
    where models.version is null
    group by served.policy_version

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
