{# Tests of facts look at what was stored since a build last went well, and three days before; after a full refresh at
   all. That a key is unique the database itself sees to (primary keys of the stream, unique indexes of the facts): this is
   tested of the last days alone. #}
{% macro tested_until() -%}
    {%- set query -%}
        select coalesce(max(builds.started_at) - interval '3 days', '-infinity')::text
        from learning.warehouse_builds as builds
        where builds.is_whole and cardinality(builds.failures) = 0
    {%- endset -%}
    {%- set has_rows = execute and not is_all_tested() -%}
    '{{ run_query(query).columns[0].values()[0] if has_rows else '-infinity' }}'::timestamptz
{%- endmacro %}

{# Whether tests look at all there is. #}
{% macro is_all_tested() -%}
    {{ return(execute and flags.FULL_REFRESH) }}
{%- endmacro %}

{# dbt's own, with that moment for __tested_until__ in a test's `where`. #}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if where -%}
        (select * from {{ relation }} where {{ where | replace('__tested_until__', tested_until()) }}) dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
