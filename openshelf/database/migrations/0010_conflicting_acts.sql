-- An act whose event_id is in the log already with another body: the first counts. The other becomes a dead letter, so
-- that it is seen and kept; one for each entry of the log, at whose place it stands.
create or replace function stream.append(
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
    if appended is null then
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
