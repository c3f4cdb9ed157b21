-- What readers decide about their own data, and how what they take back is removed from everywhere.
alter table reading.accounts
    add column history_days int default 90 check (history_days between 1 and 3650), -- null: until the reader deletes it
    add column history_notice text, -- version of the notice on which the history was turned on
    add column personal boolean not null default true; -- false: popular and new for everyone alike, no act is stored

update reading.accounts as accounts
set history_notice = decided.notice_version
from (
    select distinct on (account_id) account_id, notice_version from reading.consents
    where kind = 'history' and granted order by account_id, consent_id desc
) as decided
where decided.account_id = accounts.account_id and accounts.history_enabled;

-- What is being removed. The row goes when all is done; until then `openshelf retention run` goes on with it.
-- Grain: one row per request.
create table reading.erasures (
    erasure_id bigint generated always as identity primary key,
    kind text not null check (kind in ('history', 'account')),
    account_id int not null, -- no reference: the account may be gone already
    reader_keys text[] not null,
    asked_at timestamptz not null default now(),
    asked_by text not null check (asked_by in ('reader', 'library', 'restore')),
    done text[] not null default '{}', -- steps
    counts jsonb not null default '{}' -- store -> rows removed
);

-- That it was done, and to nobody's name. Grain: one row per request that was finished.
create table reading.erasure_certificates (
    certificate_id bigint generated always as identity primary key,
    kind text not null check (kind in ('history', 'account')),
    asked_by text not null,
    asked_on date not null,
    finished_on date not null,
    counts jsonb not null -- store -> rows removed; a store that held nothing stands there with 0
);

-- What the retention job removed. Grain: one row per run.
create table reading.retention_runs (
    run_id bigint generated always as identity primary key,
    started_at timestamptz not null,
    finished_at timestamptz,
    counts jsonb not null default '{}'
);

-- Who must not come back, neither with an act that was under way nor with a backup: SHA-256 of a reader_key, keyed
-- hash of an account. It leads to nobody, and is kept for as long as backups are.
create table stream.erased (
    mark bytea primary key,
    kind text not null check (kind in ('reader', 'account')),
    erased_at timestamptz not null default now()
);

-- Where a partition of the log ended when its last entries were removed: no offset is ever given twice.
create table stream.log_ends (
    partition smallint primary key,
    next_offset bigint not null
);

create function stream.mark_of(p_reader_key text) returns bytea immutable language sql
return sha256(convert_to(p_reader_key, 'UTF8'));

create function stream.is_erased(p_reader_key text) returns boolean stable language sql
return exists (select from stream.erased where mark = stream.mark_of(p_reader_key));

-- The offset that the next act of a partition gets.
create function stream.log_end(p_partition smallint) returns bigint stable language sql
return greatest(
    coalesce((
        select log_offset + 1 from stream.event_log where partition = p_partition order by log_offset desc limit 1
    ), 0),
    coalesce((select next_offset from stream.log_ends where partition = p_partition), 0)
);

-- As before, but for readers who were erased: their acts are dropped, null is returned. What `log_end` and `is_erased`
-- say stands here once more: a call of a function costs as much as the rest of an append.
create or replace function stream.append(
    p_partition smallint, p_event_id uuid, p_reader_key text, p_payload bytea
) returns bigint language plpgsql as $$
declare
    appended bigint;
begin
    perform pg_advisory_xact_lock(7301, p_partition);
    -- A statement of its own: it sees what was committed while this one waited for the lock.
    insert into stream.event_log (partition, log_offset, event_id, reader_key, payload)
    select
        p_partition,
        greatest(
            coalesce((
                select log_offset + 1 from stream.event_log
                where partition = p_partition order by log_offset desc limit 1
            ), 0),
            (select next_offset from stream.log_ends where partition = p_partition)
        ),
        p_event_id, p_reader_key, p_payload
    where not exists (select from stream.erased where mark = sha256(convert_to(p_reader_key, 'UTF8')))
    on conflict (event_id) do nothing
    returning log_offset into appended;
    if appended is null and not stream.is_erased(p_reader_key) then
        insert into stream.dead_letters (source, partition, log_offset, reason, payload)
        select
            'append', partition, log_offset,
            'event_id ' || event_id || ' is in the log already with another body; that one counts', p_payload
        from stream.event_log where event_id = p_event_id and payload <> p_payload
        on conflict (source, partition, log_offset) do nothing;
    end if;
    return appended;
end
$$;

-- From now on the log takes no act of this reader; and a word to the dataflow, in its turn, to forget the reader.
create function stream.forget(
    p_partition smallint, p_event_id uuid, p_reader_key text, p_payload bytea
) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7301, p_partition);
    insert into stream.erased (mark, kind) values (stream.mark_of(p_reader_key), 'reader') on conflict do nothing;
    insert into stream.event_log (partition, log_offset, event_id, reader_key, payload)
    select p_partition, stream.log_end(p_partition), p_event_id, p_reader_key, p_payload
    where not exists (
        select from stream.event_log where partition = p_partition and reader_key = p_reader_key and payload = p_payload
    );
end
$$;
