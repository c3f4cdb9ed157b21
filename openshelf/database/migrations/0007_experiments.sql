-- Experiments: several arms serve at once, each reader always the same one. Grain: one row per experiment.
create table learning.experiments (
    experiment_id int generated always as identity primary key,
    name text not null unique,
    salt text not null, -- mixed into the hash that assigns readers: another experiment deals them anew
    note text not null default '',
    started_at timestamptz not null default now(),
    started_by text not null default '',
    stopped_at timestamptz,
    stop_reason text
);
create unique index one_running_experiment on learning.experiments ((true)) where stopped_at is null;

-- Grain: one row per arm of an experiment.
create table learning.experiment_arms (
    experiment_id int not null references learning.experiments on delete cascade,
    arm text not null,
    version text not null, -- of a registered model; 'champion': whatever is champion; 'popular': no model
    share double precision not null check (share > 0), -- a weight among the arms
    primary key (experiment_id, arm)
);

-- Who was in which arm, written with the reader's first slate in it. Grain: one row per reader of an experiment.
create table stream.assignments (
    experiment_id int not null references learning.experiments on delete cascade,
    reader_key text not null,
    arm text not null,
    assigned_at timestamptz not null, -- when the act occurred that asked for the slate
    primary key (experiment_id, reader_key)
);
create index assignments_reader on stream.assignments (reader_key);

-- Works that staff put into a place of every slate for a time. Grain: one row per pin.
create table library.pins (
    pin_id int generated always as identity primary key,
    book_id int not null references library.works on delete cascade,
    position smallint not null check (position >= 0),
    note text not null default '',
    starts_at timestamptz not null default now(),
    ends_at timestamptz check (ends_at > starts_at), -- null: until it is removed
    created_at timestamptz not null default now(),
    removed_at timestamptz
);
