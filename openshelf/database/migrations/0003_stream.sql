-- The event log (which is the outbox) and what the dataflow makes of it.
create schema stream;

create table stream.event_log (
    partition smallint not null,
    log_offset bigint not null,
    event_id uuid not null unique,
    reader_key text not null,
    payload bytea not null,
    appended_at timestamptz not null default clock_timestamp(),
    primary key (partition, log_offset)
);

-- Append one event. The lock lasts until commit, so commit order is offset order within a
-- partition and a reader of the log never skips a row that commits late. An event_id that is
-- there already is stored once: null is returned and no offset is spent.
create function stream.append(
    p_partition smallint, p_event_id uuid, p_reader_key text, p_payload bytea
) returns bigint language plpgsql as $$
declare
    appended bigint;
begin
    perform pg_advisory_xact_lock(7301, p_partition);
    insert into stream.event_log (partition, log_offset, event_id, reader_key, payload)
    select
        p_partition,
        coalesce((
            select log_offset + 1 from stream.event_log
            where partition = p_partition order by log_offset desc limit 1
        ), 0),
        p_event_id, p_reader_key, p_payload
    on conflict (event_id) do nothing
    returning log_offset into appended;
    return appended;
end
$$;

-- How far each consumer of the log has come, written in the same transaction as its effects.
create table stream.progress (
    consumer text not null, -- 'sessions', 'relay'
    partition smallint not null,
    next_offset bigint not null,
    updated_at timestamptz not null default now(),
    primary key (consumer, partition)
);

create table stream.interactions (
    event_id uuid primary key,
    version int not null,
    occurred_at timestamptz not null,
    reader_key text not null,
    session_id uuid not null,
    action text not null,
    book_id int,
    slate_id uuid,
    position int,
    surface text not null,
    value double precision,
    reward real not null,
    rewards_version text not null,
    inferred boolean not null default false,
    partition smallint,
    log_offset bigint,
    received_at timestamptz not null, -- when the log took it
    stored_at timestamptz not null default clock_timestamp()
);
create index interactions_reader on stream.interactions (reader_key, occurred_at);
create index interactions_occurred on stream.interactions (occurred_at);
create index interactions_stored on stream.interactions (stored_at);

create table stream.slates (
    slate_id uuid primary key,
    event_id uuid not null, -- the act that triggered it
    reader_key text not null,
    session_id uuid not null,
    created_at timestamptz not null, -- when that act occurred: a replay makes the same row
    policy_version text not null,
    arm text not null,
    surface text not null,
    event_received_at timestamptz not null,
    stored_at timestamptz not null default clock_timestamp()
);
create index slates_reader on stream.slates (reader_key, created_at desc);
create index slates_stored on stream.slates (stored_at);

create table stream.slate_places (
    slate_id uuid not null references stream.slates on delete cascade,
    position smallint not null,
    book_id int not null,
    propensity double precision not null check (propensity > 0 and propensity <= 1),
    source text not null check (source in ('policy', 'popular', 'random', 'pinned')),
    reason text not null,
    reason_book_id int,
    primary key (slate_id, position)
);

create table stream.sessions (
    session_id uuid primary key,
    reader_key text not null,
    arm text not null,
    started_at timestamptz not null,
    last_act_at timestamptz not null,
    ended_at timestamptz, -- null while it may go on
    count_acts int not null,
    count_shows int not null,
    reward real not null
);
create index sessions_reader on stream.sessions (reader_key, started_at);

create table stream.dead_letters (
    dead_letter_id bigint generated always as identity primary key,
    source text not null, -- 'log' or a topic
    partition int not null,
    log_offset bigint not null,
    reason text not null,
    payload bytea not null,
    found_at timestamptz not null default now(),
    replayed_at timestamptz,
    unique (source, partition, log_offset)
);
