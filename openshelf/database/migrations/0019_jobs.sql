-- additive: programs of schema 18 may go on
-- What the installation did by itself: openshelf/schedule.py. Where Airflow has the rhythm, it keeps records of its own.

-- Grain: one row per run of a job.
create table learning.job_runs (
    run_id bigint generated always as identity primary key,
    job text not null,
    due_at timestamptz not null, -- the latest of its times that this run makes up for
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    status text not null default 'running' check (status in ('running', 'done', 'failed', 'interrupted')),
    count_tries int not null default 0, -- how often a step was begun
    message text -- what the last step said, in one line
);
create index job_runs_by_job on learning.job_runs (job, run_id desc);
