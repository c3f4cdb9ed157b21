with

source as (

    select * from {{ source('stream', 'gone_hours') }}

),

renamed as (

    select
        ---------- how many
        occurred_hour,
        count_acts,
        count_slates
    from source

)

select * from renamed
