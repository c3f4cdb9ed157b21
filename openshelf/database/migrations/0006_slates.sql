-- A slate and its places in one row: a dozen rows a slate cost five times the work of all else that an act leads to.
alter table stream.slates
    add column book_ids int[] not null default '{}', -- by place, as all arrays here
    add column propensities double precision[] not null default '{}',
    add column sources text[] not null default '{}',
    add column reasons text[] not null default '{}',
    add column reason_book_ids int[] not null default '{}';

update stream.slates as slates
set book_ids = places.book_ids, propensities = places.propensities, sources = places.sources,
    reasons = places.reasons, reason_book_ids = places.reason_book_ids
from (
    select slate_id, array_agg(book_id order by position) as book_ids,
           array_agg(propensity order by position) as propensities, array_agg(source order by position) as sources,
           array_agg(reason order by position) as reasons,
           array_agg(reason_book_id order by position) as reason_book_ids
    from stream.slate_places group by slate_id
) as places
where places.slate_id = slates.slate_id;

alter table stream.slates
    add constraint slates_propensities_check
        check (0 < all (propensities) and 1 >= all (propensities) and array_position(propensities, null) is null),
    add constraint slates_sources_check
        check (sources <@ array['policy', 'fallback', 'popular', 'random', 'pinned']),
    add constraint slates_places_check
        check (
            cardinality(propensities) = cardinality(book_ids) and cardinality(sources) = cardinality(book_ids)
            and cardinality(reasons) = cardinality(book_ids) and cardinality(reason_book_ids) = cardinality(book_ids)
        );

drop table stream.slate_places;

-- One row per place of a slate; position is 0-based.
create view stream.slate_places as
select
    slates.slate_id,
    (place.number - 1)::smallint as position,
    place.book_id,
    place.propensity,
    place.source,
    place.reason,
    place.reason_book_id
from stream.slates
cross join lateral unnest(
    slates.book_ids, slates.propensities, slates.sources, slates.reasons, slates.reason_book_ids
) with ordinality as place (book_id, propensity, source, reason, reason_book_id, number);

-- Skips inferred when a session moved on to a later slate.
alter table stream.sessions add column count_inferred int not null default 0;
