-- What the warehouse must know of rows that go, or count no more, between two builds. Filled by dbt's triggers and hooks
-- (dbt/macros/count_what_goes.sql, dbt/models/marts/dim_readers.sql); nothing in it is of anybody.

-- Days whose figures changed without a new row: their rows were erased, or are a program's or staff's now. The next build
-- makes them anew, so that no build has to count all days to find them. Grain: one row per day.
create table stream.changed_days (
    changed_date date primary key,
    noted_at timestamptz not null default clock_timestamp()
);

-- Whose acts they were that have gone, those of staff, tests and programs, too. Grain: one row per day and kind.
create table stream.gone_traffic (
    occurred_date date not null,
    traffic text not null,
    count_acts bigint not null,
    count_readers bigint not null, -- whose last act of the day has gone
    primary key (occurred_date, traffic)
);

-- Slates that have gone, of everyone.
alter table stream.gone_hours add column count_slates bigint not null default 0;
alter table stream.gone_hours alter column count_acts set default 0;
