-- What readers ask the library to get, what was looked for in vain, and what makes finding fast at 100,000 works.
create table reading.requests (
    request_id bigint generated always as identity primary key,
    account_id int references reading.accounts on delete cascade, -- null: asked without an account
    title text not null check (length(title) between 1 and 300),
    author text not null default '' check (length(author) <= 300),
    note text not null default '' check (length(note) <= 1000),
    request_key text not null, -- folded title: the same wish of several readers stands together
    status text not null default 'asked' check (status in ('asked', 'looking', 'bought', 'declined')),
    answer text not null default '' check (length(answer) <= 1000), -- what staff say to the reader
    asked_at timestamptz not null default now(),
    decided_at timestamptz
);
create index requests_account on reading.requests (account_id, asked_at desc);
create index requests_status on reading.requests (status, request_key);
create index requests_asked on reading.requests (asked_at);

-- Searches that found nothing: no reader, no session, no hour.
create table reading.unanswered_searches (
    day date not null default current_date,
    folded text not null,
    count_searches int not null default 1,
    primary key (day, folded)
);

-- By what titles are sorted: without case, accents and what stands before the first letter, so that the order
-- does not hang on the locale of the server.
alter table library.works add column sort_key text not null generated always as (
    regexp_replace(
        regexp_replace(normalize(translate(lower(title_sort), 'đłø', 'dlo'), nfkd), '[\u0300-\u036f]', '', 'g'),
        '^[^[:alnum:]]+', ''
    )
) stored;
create index works_by_title on library.works (sort_key collate "C", book_id) where active;
create index works_by_year on library.works (year desc nulls last, sort_key collate "C", book_id) where active;
create index works_by_rating on library.works (rating desc nulls last, sort_key collate "C", book_id) where active;
create index works_series on library.works (series_id) where series_id is not null;

-- Who took warmly to a work, for "readers of this also liked".
create index interactions_warm on stream.interactions (book_id, reader_key) where reward >= 1.5;
