with

source as (

    select * from {{ source('learning', 'experiment_arms') }}

),

renamed as (

    select
        ---------- identifiers
        experiment_id,
        arm,
        ---------- what it draws with, and its weight among the arms
        version as policy_version,
        share
    from source

)

select * from renamed
