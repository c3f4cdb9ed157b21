-- noqa: disable=LT02
{# Marts by day are made of days. Before a build the days that changed are taken out of the mart (`take_out`), and every
   day that is not there is made (`is_to_make`): a late row changes its own day and no other. The counts of what has gone
   (stream.gone_*) stand in the same source, so that a day never shrinks because rows grew old.

   A day changed when a row of it was stored since the last build, or when it stands in stream.changed_days: rows of it
   were erased, or count no more. `counted`: what the mart is made of, and `day` its column; `column`: the day of the mart,
   or its week or month, if that is the `period`; `and_of`: a second relation and day; `and_later`:
   all that comes after the first of these is taken out, too. #}
{% macro take_out(counted, day, column, period='day', and_of=none, and_later=false) -%}
    {%- if execute and is_incremental() -%}
        -- Made by an older version of this program it may have no watermark: then all of it is made anew.
        alter table {{ this }}
        add column if not exists newest_stored_at timestamptz,
        add column if not exists {{ column }} date;
        delete from {{ this }} as loaded
        where loaded.{{ column }} is null
        or loaded.{{ column }} {{ '>= (select min(changed.period) from' if and_later else 'in' }} (
            {% for relation, its_day in [(counted, day), and_of or (none, none)] if relation is not none %}
                select date_trunc('{{ period }}', counted.{{ its_day }})::date as period
                from {{ relation }} as counted
                where counted.source_stored_at >= {{ remake_from() }}
                union distinct
            {% endfor %}
            select date_trunc('{{ period }}', days.changed_date)::date as period
            from {{ source('stream', 'changed_days') }} as days
        ){{ ' as changed)' if and_later }}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# The moment from which rows are new to a mart; all are to one that an older version of this program made. #}
{% macro remake_from(column='newest_stored_at') -%}
    {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='name') if execute else [] -%}
    {{ back_from(this, column) if column in columns else "'-infinity'::timestamptz" }}
{%- endmacro %}

{# The newest moment of a table less the look-back, as a literal: of a subquery Postgres would not know how few rows
   come after it, and would read whole facts instead of their index. #}
{% macro back_from(relation, column) -%}
    {%- set query -%}
        select coalesce(
            max({{ column }}) - interval '{{ var("lookback_hours") }} hours', '-infinity'
        )::text
        from {{ relation }}
    {%- endset -%}
    '{{ run_query(query).columns[0].values()[0] if execute else '-infinity' }}'::timestamptz
{%- endmacro %}

{# In the where clause of what a mart by day, week or month is made of; `day`: the day of a row. The calendar is built
   before (int_places_of_readers and int_acts_of_readers say so), and the days are looked up by their index. #}
{% macro is_to_make(day, column, period='day') -%}
    {%- if is_incremental() -%}
        {{ day }} = any(array(
            select dates.date_day
            from marts.dim_dates as dates
            where date_trunc('{{ period }}', dates.date_day)::date not in (
                select loaded.{{ column }} from {{ this }} as loaded
            )
        ))
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# After the dimension of readers: the days of who was counted and is not any more, or the reverse. #}
{% macro note_changed_readers() -%}
    insert into {{ source('stream', 'changed_days') }} (changed_date)
    select days.changed_date
    from {{ this }} as readers
    cross join lateral (
        select slate_date as changed_date from {{ ref('fct_slate_places') }} as places
        where places.reader_key = readers.reader_key
        union distinct
        select occurred_date as changed_date from {{ ref('fct_interactions') }} as acts
        where acts.reader_key = readers.reader_key
    ) as days
    where readers.traffic != readers.traffic_before
    group by days.changed_date
    on conflict (changed_date) do update set noted_at = clock_timestamp();

    update {{ this }} set traffic_before = traffic where traffic != traffic_before
{%- endmacro %}

{# Who has no row any more in any fact. #}
{% macro take_out_readers_gone() -%}
    delete from {{ this }} as readers
    where
        (readers.source_stored_at is null or readers.source_stored_at = {{ to_make_anew() }})
        {% for fact in ['fct_interactions', 'fct_slate_places', 'fct_sessions'] %}
            and not exists (select 1 from {{ ref(fact) }} as facts where facts.reader_key = readers.reader_key)
        {% endfor %}
{%- endmacro %}

{# After the dimension of works: the days on which a work was shown or acted on that is part of another one now, or
   stands alone again. Facts are read only if there is one; they have no index of works. #}
{% macro note_changed_works() -%}
    {%- set moved -%}
        select works.book_id from {{ this }} as works where works.current_book_id != works.current_book_id_before
    {%- endset -%}
    insert into {{ source('stream', 'changed_days') }} (changed_date)
    {% for relation, day in [
        (ref('fct_slate_places'), 'slate_date'), (ref('fct_interactions'), 'occurred_date'),
        (source('stream', 'gone_places'), 'slate_date'), (source('stream', 'gone_acts'), 'occurred_date'),
        (source('stream', 'gone_uses'), 'month_start_date')
    ] %}
        select rows.{{ day }} from {{ relation }} as rows
        where (select count(*) from ({{ moved }}) as moved) > 0 and rows.book_id = any(array({{ moved }}))
        {{ 'union distinct' if not loop.last }}
    {% endfor %}
    on conflict (changed_date) do update set noted_at = clock_timestamp()
{%- endmacro %}
