-- Acts on works that the catalogue does not have (yet). Each is appended to the log anew, under an event_id made from
-- its own, once an ingest has brought the work. Grain: one row per act.
create table stream.quarantine (
    event_id uuid primary key,
    reader_key text not null,
    book_id int not null,
    source text not null, -- 'log' or a topic
    partition int not null,
    log_offset bigint not null,
    payload bytea not null,
    received_at timestamptz not null, -- when the log took it
    found_at timestamptz not null default now(),
    released_at timestamptz
);
create index quarantine_waiting on stream.quarantine (book_id) where released_at is null;
create index quarantine_reader on stream.quarantine (reader_key);
