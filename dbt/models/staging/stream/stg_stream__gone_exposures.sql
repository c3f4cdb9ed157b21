with

source as (

    select * from {{ source('stream', 'gone_exposures') }}

),

renamed as (

    select
        ---------- identifiers
        experiment_id,
        arm,
        ---------- sums over readers
        count_readers,
        count_places,
        count_fallback,
        count_shown,
        count_opened,
        count_read,
        count_skipped,
        count_declined,
        shown_squared,
        opened_squared,
        shown_times_opened
    from source

)

select * from renamed
