{# What was counted stays when rows go: each fact has a trigger that adds what is deleted from it to the tables
   stream.gone_*, in the same transaction, whoever deletes. Not counted: rows whose source is still there (an
   incremental build takes them out and puts them back), and rows of erased readers, staff, bots and tests.

   The functions name no database: a copy or a restored backup may have another name.

   A reader is counted when the last row of a group goes: until then those that remain count. #}
{% macro add_up(table, keys, counts) -%}
    on conflict ({{ keys | join(', ') }}) do update set
    {% for count in counts %}
        {{ count }} = {{ table }}.{{ count }} + excluded.{{ count }}{{ ',' if not loop.last }}
    {% endfor %}
{%- endmacro %}

{% macro of_all() -%} coalesce(readers.traffic, 'reader') {%- endmacro %}

{% macro gone_rows(source_relation, key, whose="'reader'") -%}
    select
        gone.*,
        coalesce(readers.traffic, 'reader') as traffic
    from gone
    left join marts.dim_readers as readers
        on gone.reader_key = readers.reader_key
    where
        coalesce(readers.traffic, 'reader') = {{ whose }}
        and not exists (select 1 from {{ source_relation.include(database=false) }} as kept where kept.{{ key }} = gone.{{ key }})
        and not stream.is_erased(gone.reader_key)
{%- endmacro %}

{% macro groups_of_places(rows) -%}
    select distinct
        rows.slate_date as period_start_date,
        versions.policy_version,
        dimensions.dimension,
        dimensions.value,
        rows.reader_key
    from {{ rows }} as rows
    left join marts.dim_works as works
        on rows.book_id = works.book_id
    cross join lateral (values ('all'), (rows.policy_version)) as versions (policy_version)
    cross join lateral (
        values
        {{ place_dimensions('rows', 'works') }},
        ('outcome', rows.outcome)
    ) as dimensions (dimension, value)
    where rows.is_shown and {{ is_drawn('rows.source') }}
{%- endmacro %}

{% macro groups_of_acts(rows) -%}
    select distinct
        periods.period_start_date,
        'all' as policy_version,
        periods.dimension,
        rows.action as value,
        rows.reader_key
    from {{ rows }} as rows
    cross join lateral (
        values
        ('acts of a day', rows.occurred_date),
        ('acts of a month', date_trunc('month', rows.occurred_date)::date)
    ) as periods (dimension, period_start_date)
    where not rows.is_inferred
    union all
    select
        reach.period_start_date,
        'all' as policy_version,
        reach.dimension,
        reach.value,
        reach.reader_key
    from ({{ reach_of_acts(rows, 'marts.dim_works') }}) as reach
{%- endmacro %}

{% macro count_gone_readers(rows, groups, date_column) -%}
    insert into stream.gone_readers as kept
    with

    went as (

        {{ rows }}

    ),

    remain as (

        select facts.*
        from {{ this.include(database=false) }} as facts
        where
            facts.reader_key in (select went.reader_key from went)
            and facts.{{ date_column }} >= (
                select date_trunc('month', min(went.{{ date_column }}))::date from went
            )

    ),

    groups_left as (

        {{ groups('went') }}
        except
        {{ groups('remain') }}

    )

    select
        period_start_date,
        policy_version,
        dimension,
        value,
        left(reader_key, 2) = 's_' as is_visit,
        count(*) as count_readers
    from groups_left
    group by period_start_date, policy_version, dimension, value, is_visit
    {{ add_up('kept', ['period_start_date', 'policy_version', 'dimension', 'value', 'is_visit'], ['count_readers']) }};
{%- endmacro %}

{# The days of rows that are counted nowhere any more: of erased readers. #}
{% macro note_erased_days(day) -%}
    insert into stream.changed_days (changed_date)
    select distinct gone.{{ day }}
    from gone
    where stream.is_erased(gone.reader_key)
    on conflict (changed_date) do update set noted_at = clock_timestamp();
{%- endmacro %}

{# Readers of whom rows have gone are looked at anew by the next build. #}
{% macro mark_readers(source_relation, key) -%}
    update marts.dim_readers as readers set source_stored_at = {{ to_make_anew() }}
    where readers.reader_key in (
        select gone.reader_key from gone
        where not exists (
            select 1 from {{ source_relation.include(database=false) }} as kept where kept.{{ key }} = gone.{{ key }}
        )
    );
{%- endmacro %}

{% macro count_gone_places() -%}
    {%- set rows = gone_rows(source('stream', 'slates'), 'slate_id') -%}
    {%- set rows_of_all = gone_rows(source('stream', 'slates'), 'slate_id', of_all()) -%}
    {%- set keys = [
        'slate_date', 'policy_version', 'arm', 'surface', 'position', 'source', 'book_id', 'outcome', 'is_fallback'
    ] -%}
    {%- set counts = [
        'count_places', 'count_opened', 'count_read', 'count_liked', 'count_skipped', 'count_answers', 'reward'
    ] -%}
    create or replace function marts.count_gone_places() returns trigger language plpgsql as $body$
    begin
        {{ note_erased_days('slate_date') }} -- noqa: LT02
        {{ mark_readers(source('stream', 'slates'), 'slate_id') }} -- noqa: LT02

        insert into stream.gone_hours as kept (occurred_hour, count_slates)
        select date_trunc('hour', slate_created_at, 'UTC'), count(distinct slate_id)
        from ({{ rows_of_all }}) as went
        group by date_trunc('hour', slate_created_at, 'UTC')
        {{ add_up('kept', ['occurred_hour'], ['count_slates']) }};

        perform 1 from ({{ rows }}) as went limit 1;
        if not found then
            return null;
        end if;

        insert into stream.gone_places as kept ({{ (keys + counts) | join(', ') }})
        select
            {{ keys | join(', ') }},
            count(*),
            count(*) filter (where is_opened),
            count(*) filter (where is_read),
            count(*) filter (where is_liked),
            count(*) filter (where is_skipped),
            sum(count_answers),
            sum(reward)
        from ({{ rows }}) as went
        group by {{ keys | join(', ') }} -- noqa: LT02
        {{ add_up('kept', keys, counts) }};

        {{ count_gone_readers(rows, groups_of_places, 'slate_date') }}

        insert into stream.gone_exposures as kept
        with by_reader as ({{ exposure_of_readers('(' ~ rows ~ ')') }})
        select
            by_reader.experiment_id,
            by_reader.arm,
            count(*) filter (
                where not exists (
                    select 1 from {{ this.include(database=false) }} as facts
                    where facts.reader_key = by_reader.reader_key and facts.experiment_id = by_reader.experiment_id
                )
            ) as count_readers,
            {{ exposure_sums() }}
        from by_reader
        where by_reader.experiment_id in (select experiment_id from {{ source('learning', 'experiments').include(database=false) }})
        group by by_reader.experiment_id, by_reader.arm
        {{ add_up('kept', ['experiment_id', 'arm'], ['count_readers'] + exposure_columns()) }};

        return null;
    end
    $body$;
    create or replace trigger count_gone after delete on {{ this }}
    referencing old table as gone for each statement execute function marts.count_gone_places();
{%- endmacro %}

{% macro count_gone_acts() -%}
    {%- set rows = gone_rows(source('stream', 'interactions'), 'event_id') -%}
    {%- set rows_of_all = gone_rows(source('stream', 'interactions'), 'event_id', of_all()) -%}
    create or replace function marts.count_gone_acts() returns trigger language plpgsql as $body$
    begin
        {{ note_erased_days('occurred_date') }} -- noqa: LT02
        {{ mark_readers(source('stream', 'interactions'), 'event_id') }} -- noqa: LT02

        insert into stream.gone_hours as kept (occurred_hour, count_acts)
        select date_trunc('hour', occurred_at, 'UTC'), count(*)
        from ({{ rows_of_all }}) as went
        where not is_inferred
        group by date_trunc('hour', occurred_at, 'UTC')
        {{ add_up('kept', ['occurred_hour'], ['count_acts']) }};

        insert into stream.gone_traffic as kept (occurred_date, traffic, count_acts, count_readers)
        select
            went.occurred_date,
            went.traffic,
            count(*),
            count(distinct went.reader_key) filter (
                where not exists (
                    select 1 from {{ this.include(database=false) }} as facts
                    where
                        facts.reader_key = went.reader_key
                        and facts.occurred_date = went.occurred_date
                        and not facts.is_inferred
                )
            )
        from ({{ rows_of_all }}) as went
        where not went.is_inferred
        group by went.occurred_date, went.traffic
        {{ add_up('kept', ['occurred_date', 'traffic'], ['count_acts', 'count_readers']) }};

        perform 1 from ({{ rows }}) as went limit 1;
        if found then
            insert into stream.gone_acts as kept (occurred_date, action, surface, book_id, count_acts)
            select occurred_date, action, surface, coalesce(book_id, 0), count(*)
            from ({{ rows }}) as went
            where not is_inferred
            group by occurred_date, action, surface, coalesce(book_id, 0)
            {{ add_up('kept', ['occurred_date', 'action', 'surface', 'book_id'], ['count_acts']) }};

            {{ count_gone_uses(rows) }} -- noqa: LT02

            {{ count_gone_readers(rows, groups_of_acts, 'occurred_date') }}
        end if;

        -- A place whose act was taken back is made anew by the next build, and its day.
        if to_regclass('marts.fct_slate_places') is not null then
            with taken_back as (

            update marts.fct_slate_places as places
            set source_stored_at = {{ to_make_anew() }}
            from gone
            where
                gone.slate_id = places.slate_id
                and not exists (
                    select 1 from {{ source('stream', 'interactions').include(database=false) }} as kept where kept.event_id = gone.event_id
                )
                and exists (
                    select 1 from {{ source('stream', 'slates').include(database=false) }} as slates where slates.slate_id = places.slate_id
                )
            returning places.slate_date

            )

            insert into stream.changed_days (changed_date)
            select distinct slate_date from taken_back
            on conflict (changed_date) do update set noted_at = clock_timestamp();
        end if;
        return null;
    end
    $body$;
    create or replace trigger count_gone after delete on {{ this }}
    referencing old table as gone for each statement execute function marts.count_gone_acts();
{%- endmacro %}
