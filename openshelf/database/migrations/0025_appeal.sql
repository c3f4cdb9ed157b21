-- additive: programs of schema 24 may go on
-- What draws a reader to a book, beside its subjects: its length, whom it is for, what it is about and how it feels.

-- As a source gives it, in its own words. Grain: one row per value of an edition.
create table library.appeal (
    edition_id int not null references library.editions on delete cascade,
    kind text not null check (kind in ('pages', 'ages', 'theme', 'mood')), -- ages: '8-12', or '12-' for 12 and older
    position int not null, -- the strongest first
    value text not null,
    primary key (edition_id, kind, position)
);

alter table library.works
    add column pages int check (pages > 0), -- of the edition in the middle
    add column age_from smallint,
    add column age_to smallint, -- null: and older
    add column themes text[] not null default '{}',
    add column moods text[] not null default '{}';
create index works_themes on library.works using gin (themes);
create index works_moods on library.works using gin (moods);
