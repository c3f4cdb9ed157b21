-- The catalogue. A work is what is recommended and shown; an edition is what Calibre holds.
-- The key of a work is book_id everywhere: a book on screen is a work.
create extension if not exists vector;
create schema library;

create table library.libraries (
    library_id int generated always as identity primary key,
    calibre_uuid text not null unique,
    path text not null,
    last_ingested_at timestamptz
);

create table library.series (
    series_id int generated always as identity primary key,
    name text not null unique
);

create table library.works (
    book_id int generated always as identity primary key,
    kind text not null default 'book' check (kind in ('book', 'film')),
    work_key text not null unique, -- folded author and title without edition notes
    title text not null,
    title_sort text not null,
    authors_text text not null default '', -- joined with ', ', in order
    language text, -- ISO 639-3
    year int, -- of first publication, where known
    audience text not null default 'adult' check (audience in ('children', 'young adult', 'adult')),
    summary text, -- cleaned; null when there is none
    publisher text,
    rating real check (rating between 0 and 5),
    series_id int references library.series,
    series_index real,
    cover_edition_id int, -- whose cover is shown
    subjects_text text not null default '', -- joined with ', ', principal subject first
    folded text not null default '', -- title, authors, series without accents and case: fuzzy search
    search tsvector not null default '',
    active boolean not null default true,
    added_at timestamptz not null,
    updated_at timestamptz not null default now()
);
create index works_search on library.works using gin (search);
create index works_active_added on library.works (added_at desc) where active;

create table library.editions (
    edition_id int generated always as identity primary key,
    library_id int not null references library.libraries,
    calibre_id int not null,
    calibre_uuid text,
    book_id int not null references library.works,
    title text not null,
    title_sort text not null,
    authors_text text not null default '',
    languages text[] not null default '{}',
    published_on date,
    publisher text,
    series_name text,
    series_index real,
    rating real,
    summary text,
    subjects text[] not null default '{}',
    folder text not null, -- relative to the library
    cover_path text, -- relative to the library; null when there is no cover
    calibre_added_at timestamptz,
    calibre_modified_at timestamptz not null,
    content_hash text not null, -- of all the fields above: what changed is what differs here
    active boolean not null default true,
    withdrawn_at timestamptz,
    updated_at timestamptz not null default now(),
    unique (library_id, calibre_id)
);
create index editions_book on library.editions (book_id);
alter table library.works
    add foreign key (cover_edition_id) references library.editions deferrable initially deferred;

create table library.files (
    edition_id int not null references library.editions on delete cascade,
    format text not null, -- EPUB, PDF, ...
    path text not null, -- relative to the library
    size_bytes bigint not null,
    primary key (edition_id, format)
);

create table library.identifiers (
    edition_id int not null references library.editions on delete cascade,
    kind text not null, -- isbn, doi, ...
    value text not null,
    primary key (edition_id, kind)
);

create table library.authors (
    author_id int generated always as identity primary key,
    name text not null unique,
    sort text not null
);

create table library.work_authors (
    book_id int not null references library.works on delete cascade,
    author_id int not null references library.authors,
    position int not null,
    primary key (book_id, author_id)
);
create index work_authors_author on library.work_authors (author_id);

create table library.subjects (
    subject_id int generated always as identity primary key,
    name text not null unique
);

create table library.work_subjects (
    book_id int not null references library.works on delete cascade,
    subject_id int not null references library.subjects,
    position int not null, -- 0: the principal subject
    primary key (book_id, subject_id)
);
create index work_subjects_subject on library.work_subjects (subject_id);

create table library.text_embeddings (
    book_id int primary key references library.works on delete cascade,
    model text not null,
    text_hash text not null, -- of the embedded text: only what changed is embedded again
    embedding halfvec(384) not null,
    embedded_at timestamptz not null default now()
);

create table library.ingest_runs (
    run_id int generated always as identity primary key,
    library_id int references library.libraries,
    path text not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    status text not null default 'running' check (status in ('running', 'done', 'failed')),
    counts jsonb not null default '{}',
    message text
);

-- Counts up whenever what can be recommended has changed; the dataflow reloads on it.
create table library.catalogue_version (
    only_row boolean primary key default true check (only_row),
    version bigint not null default 0,
    changed_at timestamptz not null default now()
);
insert into library.catalogue_version default values;
