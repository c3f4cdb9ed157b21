-- Staff's hand on what is recommended, notes on days of the charts, and rules that watch the figures. Who did what
-- stands in reading.audit_log alone.

-- A place that holds a work because staff boosted it is not credited to the policy.
alter table stream.slates drop constraint slates_sources_check;
alter table stream.slates add constraint slates_sources_check
    check (sources <@ array['policy', 'fallback', 'popular', 'random', 'pinned', 'staff']);

-- What staff decided about a work in recommendations, for a time. A later decision about it takes the earlier one back.
-- Grain: one row per decision.
create table library.steers (
    steer_id int generated always as identity primary key,
    book_id int not null references library.works on delete cascade,
    -- The mass that a draw gives the work is multiplied by this. 0: it is not recommended at all.
    factor double precision not null check (factor = 0 or (factor between 0.25 and 4 and factor <> 1)),
    note text not null default '' check (length(note) <= 200),
    starts_at timestamptz not null default now(),
    ends_at timestamptz check (ends_at > starts_at), -- null: until it is taken back
    created_at timestamptz not null default now(),
    removed_at timestamptz
);
create unique index steers_one_a_work on library.steers (book_id) where removed_at is null;

-- Rows of books on the first page, chosen by staff, for a time. Grain: one row per row of books.
create table library.curated_rows (
    row_id int generated always as identity primary key,
    heading text not null check (length(heading) between 1 and 80),
    starts_at timestamptz not null default now(),
    ends_at timestamptz check (ends_at > starts_at),
    created_at timestamptz not null default now(),
    removed_at timestamptz
);

-- Grain: one row per work of a curated row.
create table library.curated_works (
    row_id int not null references library.curated_rows on delete cascade,
    book_id int not null references library.works on delete cascade,
    position smallint not null check (position >= 0),
    primary key (row_id, book_id)
);

-- What happened on a day, as a mark on every chart over time. Grain: one row per note.
create table library.staff_notes (
    note_id int generated always as identity primary key,
    day date not null,
    note text not null check (length(note) between 1 and 200),
    created_at timestamptz not null default now(),
    removed_at timestamptz
);
create index staff_notes_day on library.staff_notes (day) where removed_at is null;

-- Rules on freshness and quality; what each means stands in openshelf/alerts.py. Grain: one row per rule.
create table learning.alert_rules (
    rule text primary key,
    threshold double precision not null check (threshold >= 0),
    is_on boolean not null default true,
    muted_until timestamptz, -- until then an incident is shown and not sent
    changed_at timestamptz not null default now()
);
insert into learning.alert_rules (rule, threshold) values
    ('build_failed', 0), ('marts_old', 26), ('no_acts', 36), ('acts_missing', 0.5),
    ('clicks_fell', 0.2), ('fallback_high', 0.2),
    ('training_failed', 0), ('model_refused', 0), ('dead_letters', 50);

-- Grain: one row per time that a rule was broken, from the check that found it to the one that found it mended.
create table learning.alert_incidents (
    incident_id int generated always as identity primary key,
    rule text not null references learning.alert_rules,
    opened_at timestamptz not null,
    seen_at timestamptz not null, -- when it was found broken last
    value double precision not null, -- as it was measured last
    threshold double precision not null,
    words text not null,
    sent_to text[] not null default '{}', -- 'webhook', 'mail'
    resolved_at timestamptz
);
create unique index alert_incidents_one_open on learning.alert_incidents (rule) where resolved_at is null;
create index alert_incidents_opened on learning.alert_incidents (opened_at desc);

-- How often works were used in acts that have gone since, counted as COUNTER does; of nobody, as stream.gone_acts is.
-- Grain: one row per month and work.
create table stream.gone_uses (
    month_start_date date not null,
    book_id int not null,
    count_investigations bigint not null,
    count_requests bigint not null,
    count_unique_investigations bigint not null,
    count_unique_requests bigint not null,
    primary key (month_start_date, book_id)
);
