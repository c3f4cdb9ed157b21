-- What the warehouse knows and could not build again, and the role under which staff pages read it.

-- Acts go: of who keeps no history an hour after the visit, of others when they said. What was counted of them stays,
-- of nobody: no key, no session, no hour. Filled by triggers on the facts (dbt/macros/count_what_goes.sql) in the very
-- transaction in which rows go; rows of readers who were erased are not counted.

-- Grain: one row per day, version, arm, surface, place, source, work and outcome.
create table stream.gone_places (
    slate_date date not null,
    policy_version text not null,
    arm text not null,
    surface text not null,
    position int not null,
    source text not null,
    book_id int not null,
    outcome text not null,
    is_fallback boolean not null,
    count_places bigint not null,
    count_opened bigint not null,
    count_read bigint not null,
    count_liked bigint not null,
    count_skipped bigint not null,
    count_answers bigint not null,
    reward double precision not null,
    primary key (slate_date, policy_version, arm, surface, position, source, book_id, outcome, is_fallback)
);

-- Grain: one row per day, action, surface and work.
create table stream.gone_acts (
    occurred_date date not null,
    action text not null,
    surface text not null,
    book_id int not null, -- 0: about no work
    count_acts bigint not null,
    primary key (occurred_date, action, surface, book_id)
);

-- Grain: one row per hour.
create table stream.gone_hours (
    occurred_hour timestamptz primary key,
    count_acts bigint not null
);

-- How many different readers there were in a group of acts or places, whose last one has gone.
-- Grain: one row per day (or first day of a month), version or 'all', dimension, value, and whether of a single visit.
create table stream.gone_readers (
    period_start_date date not null,
    policy_version text not null,
    dimension text not null, -- 'all', 'arm', 'surface', 'outcome', 'acts of a day', ...
    value text not null,
    is_visit boolean not null, -- of who keeps no history: over several days these add up, the others do not
    count_readers bigint not null,
    primary key (period_start_date, policy_version, dimension, value, is_visit)
);

-- Sums over readers, from which rates and their intervals follow. Grain: one row per arm of an experiment.
create table stream.gone_exposures (
    experiment_id int not null references learning.experiments on delete cascade,
    arm text not null,
    count_readers bigint not null,
    count_places bigint not null,
    count_fallback bigint not null,
    count_shown bigint not null,
    count_opened bigint not null,
    count_read bigint not null,
    count_skipped bigint not null,
    count_declined bigint not null,
    shown_squared double precision not null, -- sum over readers
    opened_squared double precision not null,
    shown_times_opened double precision not null,
    primary key (experiment_id, arm)
);

-- What became of each build: pages say so above their figures. Grain: one row per build.
create table learning.warehouse_builds (
    build_id int generated always as identity primary key,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    is_whole boolean not null, -- all models, not a selection
    count_models int not null,
    count_tests int not null,
    failures text[] not null, -- tests and models that failed, each with what it said; none: all went well
    warnings text[] not null
);
create index warehouse_builds_finished on learning.warehouse_builds (finished_at desc);

-- What a policy would have earned, as estimated from what was logged. Grain: one row per report, policy and estimator.
create table learning.offpolicy_estimates (
    reported_at timestamptz not null,
    policy_version text not null,
    estimator text not null,
    value double precision, -- mean reward of a place on screen; null: no number
    low double precision,
    high double precision,
    effective double precision not null, -- effective sample size
    capped double precision not null, -- share of weights that were capped
    can_tell boolean not null,
    reason text not null, -- why it cannot tell; '' if it can
    count_slates int not null,
    count_readers int not null,
    logged double precision, -- what a place on screen earned as logged
    primary key (reported_at, policy_version, estimator)
);

-- Pages read the marts and nothing else. Where the program may not make roles, the transaction is read only and no more.
do $$
begin
    if not exists (select from pg_roles where rolname = 'openshelf_pages') then
        create role openshelf_pages nologin;
    end if;
    if not pg_has_role(current_user, 'openshelf_pages', 'set') then
        execute format('grant openshelf_pages to %I', current_user);
    end if;
exception
    when insufficient_privilege or duplicate_object or unique_violation then
        raise notice 'the role openshelf_pages was not made: %', sqlerrm;
end
$$;
