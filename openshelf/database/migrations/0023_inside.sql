-- additive: programs of schema 22 may go on
-- One text encoder at a time; and what stands inside books, to be searched.

-- The encoder that all vectors of the library are of: distances between vectors of two say nothing.
create table library.embedding_model (
    only_row boolean primary key default true check (only_row),
    model text not null,
    dimension int not null check (dimension > 0),
    taken_at timestamptz, -- null: it always was
    unique (model, dimension)
);
insert into library.embedding_model (model, dimension) values ('all-MiniLM-L6-v2', 384);

delete from library.text_embeddings where model <> 'all-MiniLM-L6-v2'; -- `openshelf embed` makes them again
alter table library.text_embeddings
    add column dimension int not null generated always as (vector_dims(embedding)) stored,
    add foreign key (model, dimension) references library.embedding_model (model, dimension);

-- What may be searched inside; `openshelf ingest texts` obeys.
alter table library.libraries add column is_searched_inside boolean not null default true;
alter table library.works add column is_searched_inside boolean not null default true;

-- Files whose text was read, or could not be. Grain: one row per edition with an EPUB.
create table library.texts (
    edition_id int primary key references library.editions on delete cascade,
    path text not null, -- relative to the library
    size_bytes bigint not null,
    modified_ns bigint not null,
    file_hash text not null, -- the file is read again only when this differs
    recipe text not null, -- how it was cut into passages
    problem text, -- why there is no text of it
    read_at timestamptz not null default now()
);

-- The text of books in pieces of a paragraph or a few. Grain: one row per passage.
create table library.passages (
    edition_id int not null references library.texts on delete cascade,
    number int not null, -- in reading order
    part int not null, -- of the book as the reading page counts them, from 1
    chapter text not null,
    body text not null, -- a line for each paragraph
    blocks int[] not null, -- of the part, from 0: where each line stands
    search tsvector not null, -- of the folded body
    primary key (edition_id, number)
);
create index passages_search on library.passages using gin (search);
