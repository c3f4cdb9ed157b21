-- Published data sets: films beside books, and what people elsewhere thought of works that we hold.

alter table library.editions
    add column kind text not null default 'book' check (kind in ('book', 'film')); -- as library.works.kind

-- Ratings and accesses of published data sets, of their readers under pseudonyms of ours. Models learn from them; no
-- figure of the library counts them, and they are no visits. Grain: one row per data set, reader and edition.
create table stream.imported_acts (
    library_id int not null references library.libraries, -- the data set
    reader_key text not null, -- 'd_' and a keyed hash of the data set and its own name for the reader
    edition_id int not null references library.editions on delete cascade, -- its work counts, whichever that is today
    action text not null check (action in ('rate', 'read')),
    value double precision check ((action = 'rate') = (value is not null)), -- stars, 0.5 to 5
    reward real not null,
    rewards_version text not null,
    occurred_at timestamptz, -- null: the data set does not tell
    stored_at timestamptz not null default now(),
    primary key (reader_key, edition_id)
);
create index imported_acts_edition on stream.imported_acts (edition_id);
create index imported_acts_library on stream.imported_acts (library_id);
