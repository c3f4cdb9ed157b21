-- How editions come to be works: by their titles and authors, by what staff decide, and traceably. Sources beside Calibre.

alter table library.libraries add column kind text not null default 'calibre'; -- or 'marc', ...

alter table library.editions
    add column author_names text[] not null default '{}', -- as given, in order; aliases apply to works alone
    add column author_sorts text[] not null default '{}', -- of the same length
    add column original_title text, -- of what it was translated from
    add column source_key text, -- what its source calls it; null: calibre_id does
    add column work_key text, -- the row of library.work_keys that led to its work; null: not placed yet
    add column work_reason text not null default '', -- why it stands with the other editions of its work
    add column is_pinned boolean not null default false, -- staff decided its work: no ingest moves it
    add column accessibility jsonb; -- of the EPUB: modes, features, hazards, conformance, summary
update library.editions
set author_names = string_to_array(authors_text, ', '), author_sorts = string_to_array(authors_text, ', ')
where authors_text <> '';
create unique index editions_source_key on library.editions (library_id, source_key) where source_key is not null;
create index editions_work_key on library.editions (work_key);

-- Codes of published subject schemes, as the source gives them: 'thema', 'bisac', 'ddc', ... Grain: one row per code.
create table library.classifications (
    edition_id int not null references library.editions on delete cascade,
    scheme text not null,
    code text not null,
    primary key (edition_id, scheme, code)
);

-- A work taken into another one: its book_id is never given again, and what was done with it counts for the other.
alter table library.works add column merged_into int references library.works check (merged_into <> book_id);
create index works_merged on library.works (merged_into) where merged_into is not null;
-- Keys live in library.work_keys now; this one is kept as the one the work was made with.
alter table library.works drop constraint works_work_key_key;

-- Everything that leads to a work: title, authors and language as editions give them. Grain: one row per key.
create table library.work_keys (
    work_key text primary key, -- author|title|language, folded
    book_id int not null references library.works on delete cascade,
    title text not null,
    authors text[] not null,
    language text not null, -- '': not known
    original_title text not null, -- '': none told
    blocks text[] not null, -- keys with none of these in common are never compared
    is_fixed boolean not null default false -- staff decided it
);
create index work_keys_book on library.work_keys (book_id);
create index work_keys_blocks on library.work_keys using gin (blocks);

-- Works that belong together and stay apart. Grain: one row per pair.
create table library.work_links (
    book_id int not null references library.works on delete cascade,
    other_id int not null references library.works on delete cascade,
    relation text not null check (relation in ('translation')),
    reason text not null,
    primary key (book_id, other_id),
    check (book_id < other_id)
);
create index work_links_other on library.work_links (other_id);

-- What staff decided; who did stands in reading.audit_log. Grain: one row per decision.
create table library.work_decisions (
    decision_id int generated always as identity primary key,
    decision text not null check (decision in ('merge', 'split')),
    book_id int not null references library.works on delete cascade, -- the work that stayed
    other_id int not null references library.works on delete cascade, -- the one taken in, or split off
    edition_ids int[] not null, -- that moved
    note text not null default '' check (length(note) <= 200),
    decided_at timestamptz not null default now()
);
create index work_decisions_book on library.work_decisions (book_id);

-- Other spellings and names of an author, by staff. Grain: one row per alias.
create table library.author_aliases (
    alias text primary key, -- folded words in alphabetical order, as names are compared
    written text not null,
    name text not null, -- what the author is called here
    added_at timestamptz not null default now()
);
