{{ config(materialized='ephemeral') }}

with

slate_places as (

    select * from {{ ref('fct_slate_places') }}

),

readers as (

    select * from {{ ref('dim_readers') }}

),

experiments as (

    select * from {{ ref('stg_learning__experiments') }}

),

gone_exposures as (

    select * from {{ ref('stg_stream__gone_exposures') }}

),

places_of_readers as (

    select slate_places.*
    from slate_places
    inner join readers
        on slate_places.reader_key = readers.reader_key
    where
        readers.traffic = 'reader'
        and slate_places.experiment_id is not null
        -- Slates of an experiment were stored after it began: found by the index.
        and slate_places.source_stored_at >= (select min(experiments.started_at) from experiments)

),

by_reader as (

    {{ exposure_of_readers('places_of_readers') }}

),

crossed as (

    select
        experiment_id,
        reader_key
    from by_reader
    group by experiment_id, reader_key
    having count(*) > 1

),

present as (

    select
        by_reader.experiment_id,
        by_reader.arm,
        count(*) as count_readers,
        count(crossed.reader_key) as count_crossed,
        {{ exposure_sums() }}
    from by_reader
    left join crossed
        on
            by_reader.experiment_id = crossed.experiment_id
            and by_reader.reader_key = crossed.reader_key
    group by by_reader.experiment_id, by_reader.arm

),

arms as (

    select
        experiment_id,
        arm,
        count_readers,
        count_crossed,
        {{ exposure_columns() | join(',\n        ') }}
    from present
    union all
    select
        experiment_id,
        arm,
        count_readers,
        0 as count_crossed,
        {{ exposure_columns() | join(',\n        ') }}
    from gone_exposures

)

select
    experiment_id,
    arm,
    sum(count_readers)::bigint as count_readers,
    sum(count_crossed)::bigint as count_crossed,
    {{ exposure_totals() }}
from arms
group by experiment_id, arm
