-- additive: programs of schema 20 may go on
-- Staff look after works: pairs that are nearly one, decisions that are taken back; what was done with a work that is
-- part of another one counts for that one wherever it is read.

-- Pairs of works that are alike, and not one. Grain: one row per pair.
create table library.work_near (
    book_id int not null references library.works on delete cascade,
    other_id int not null references library.works on delete cascade,
    reason text not null,
    score real not null check (score between 0 and 1),
    primary key (book_id, other_id),
    check (book_id < other_id)
);
create index work_near_other on library.work_near (other_id);

alter table library.work_decisions
    drop constraint work_decisions_decision_check,
    add constraint work_decisions_decision_check check (decision in ('merge', 'split', 'apart')),
    add column undone_at timestamptz;
create index work_decisions_other on library.work_decisions (other_id);

-- Which work a row was about before that one was taken in; there it goes when the work stands alone again.
alter table reading.shelf_entries add column from_book_id int references library.works;
alter table reading.ratings add column from_book_id int references library.works;
alter table reading.hidden_books add column from_book_id int references library.works;
alter table reading.places add column from_book_id int references library.works;
alter table reading.list_entries add column from_book_id int references library.works;
alter table library.curated_works add column from_book_id int references library.works;

-- A work and all that are part of it: acts on any of them are on it.
create function library.ids_of_work(p_book_id int) returns int[] language sql stable as $$
    select array_agg(book_id) from library.works where book_id = p_book_id or merged_into = p_book_id
$$;

-- Acts, each on the work that its book is part of today; `acted_book_id` is the one the reader saw.
create view stream.acts as
select
    interactions.event_id, interactions.version, interactions.occurred_at, interactions.reader_key,
    interactions.session_id, interactions.action, coalesce(taken_in.merged_into, interactions.book_id) as book_id,
    interactions.book_id as acted_book_id, interactions.slate_id, interactions.position, interactions.surface,
    interactions.value, interactions.reward, interactions.rewards_version, interactions.inferred,
    interactions.partition, interactions.log_offset, interactions.received_at, interactions.stored_at
from stream.interactions
left join library.works as taken_in
    on taken_in.book_id = interactions.book_id and taken_in.merged_into is not null;
