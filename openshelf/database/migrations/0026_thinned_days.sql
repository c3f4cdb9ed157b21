-- additive: programs of schema 25 may go on
-- From which days rows of the stream have gone: a build looks for what its facts must let go of on these days alone, and
-- need not compare all rows with all. Appended by whoever deletes, taken away by the build; nothing in it is of anybody.

-- Grain: one row per deleting statement and day.
create table stream.thinned_days (
    relation text not null check (relation in ('interactions', 'slates')),
    thinned_date date not null
);

create function stream.note_thinned_interactions() returns trigger language plpgsql as $$
begin
    insert into stream.thinned_days (relation, thinned_date)
    select distinct 'interactions', (occurred_at at time zone 'utc')::date from gone;
    return null;
end $$;

create function stream.note_thinned_slates() returns trigger language plpgsql as $$
begin
    insert into stream.thinned_days (relation, thinned_date)
    select distinct 'slates', (created_at at time zone 'utc')::date from gone;
    return null;
end $$;

create trigger note_thinned after delete on stream.interactions
referencing old table as gone for each statement execute function stream.note_thinned_interactions();
create trigger note_thinned after delete on stream.slates
referencing old table as gone for each statement execute function stream.note_thinned_slates();

-- What went before this was written down.
do $$
begin
    if to_regclass('marts.fct_interactions') is not null then
        execute 'insert into stream.thinned_days select distinct ''interactions'', occurred_date from marts.fct_interactions';
    end if;
    if to_regclass('marts.fct_slate_places') is not null then
        execute 'insert into stream.thinned_days select distinct ''slates'', slate_date from marts.fct_slate_places';
    end if;
end $$;
