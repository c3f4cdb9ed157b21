-- Every kind of model that ranks may be trained and registered; which there are is the program's to say.
alter table learning.models
    drop constraint models_kind_check,
    add constraint models_kind_check check (kind ~ '^[a-z][a-z0-9_]*$');

alter table learning.runs
    drop constraint runs_kind_check,
    add constraint runs_kind_check check (kind ~ '^[a-z][a-z0-9_]*$');

-- Studies of `openshelf tune`; the tables in it are made and migrated by Optuna.
create schema if not exists optuna;

-- Places filled by another model than the one that serves, where that one could not rank.
alter table stream.slate_places
    drop constraint slate_places_source_check,
    add constraint slate_places_source_check
        check (source in ('policy', 'fallback', 'popular', 'random', 'pinned'));
