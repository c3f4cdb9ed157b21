-- What was learned, from what, and what served when.
create schema learning;

create table learning.models (
    version text primary key,
    kind text not null check (kind in ('adapter', 'policy')),
    parent_version text references learning.models,
    status text not null check (status in ('candidate', 'champion', 'retired', 'refused')),
    status_reason text,
    config jsonb not null,
    manifest jsonb not null, -- what data it learned from, counts, hashes, code version
    metrics jsonb not null default '{}',
    weights bytea not null, -- safetensors
    sha256 text not null,
    created_at timestamptz not null default now()
);
create unique index one_champion on learning.models (kind) where status = 'champion';

create table learning.promotions (
    promotion_id int generated always as identity primary key,
    kind text not null,
    version text not null references learning.models,
    promoted_at timestamptz not null default now(),
    reason text not null
);

create table learning.runs (
    run_id int generated always as identity primary key,
    kind text not null check (kind in ('adapter', 'policy')),
    version text references learning.models,
    parent_version text references learning.models,
    status text not null default 'running' check (status in ('running', 'done', 'refused', 'skipped', 'failed')),
    message text,
    config jsonb not null default '{}',
    seed int not null,
    count_new int, -- slates since the parent
    count_old int, -- sampled from before the parent
    started_at timestamptz not null default now(),
    finished_at timestamptz
);

create table learning.run_metrics (
    run_id int not null references learning.runs on delete cascade,
    step int not null,
    name text not null, -- grouped: 'loss/policy', 'reward/mean', ...
    value double precision not null,
    primary key (run_id, name, step)
);
