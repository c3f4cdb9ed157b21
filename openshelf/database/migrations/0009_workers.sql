-- Who works on the stream: each process says every two seconds that it lives, what it serves and what it did.
-- Its row stays when it is killed (its beat grows old) and goes when it ends as asked.
-- Grain: one row per process of a dataflow.
create table stream.workers (
    consumer text not null check (consumer in ('sessions', 'relay')),
    share_number int not null, -- of several hosts that each take a share of the partitions, from 1
    share_count int not null,
    process int not null check (process >= 0), -- among the processes of this host, from 0
    count_processes int not null,
    host text not null,
    pid int not null,
    started_at timestamptz not null,
    beat_at timestamptz not null default clock_timestamp(),
    serves text, -- version of the model that draws slates, 'popular' for none
    serves_since timestamptz,
    arms jsonb not null default '{}', -- of the running experiment: arm to version
    catalogue_version bigint,
    refusal text, -- models that were to serve and did not load, and why; null when all that should serve does
    refused_at timestamptz,
    counts jsonb not null, -- since its start: `openshelf.database.workers.Counts`
    primary key (consumer, share_count, share_number, process)
);

-- Those that wait are counted often; those replayed stay for good.
create index dead_letters_waiting on stream.dead_letters (dead_letter_id) where replayed_at is null;
