{# Before a fact is built: its rows whose source has gone go too, and triggers count them. Also before a full refresh,
   which would otherwise throw them away uncounted. They are looked for on the days alone from which rows of the source
   went, which its triggers append to stream.thinned_days; `day`: the fact's column of that day. #}
{% macro let_go(source_relation, key, day) -%}
    {%- if execute and load_relation(this) is not none -%}
        with taken as (

            delete from {{ source('stream', 'thinned_days') }}
            where relation = '{{ source_relation.identifier }}'
            returning thinned_date

        )

        delete from {{ this }} as loaded
        where
            loaded.{{ day }} = any(array(select taken.thinned_date from taken))
            and not exists (select 1 from {{ source_relation }} as kept where kept.{{ key }} = loaded.{{ key }})
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Whether a fact holds rows already, which this build only adds to. For models that a fact is made of. #}
{% macro is_partial(fact) -%}
    {%- set relation = adapter.get_relation(target.database, 'marts', fact) if execute else none -%}
    {{ return(relation is not none and not should_full_refresh()) }}
{%- endmacro %}

{# Whether a mart was made before, and with this column, if one is named. #}
{% macro is_there(mart, column=none) -%}
    {%- set relation = adapter.get_relation(target.database, 'marts', mart) if execute else none -%}
    {{ return(
        relation is not none
        and (column is none or column in adapter.get_columns_in_relation(relation) | map(attribute='name'))
    ) }}
{%- endmacro %}

{# The moment from which a fact is read again. #}
{% macro reread_from(fact) -%}
    {{ back_from(fact, 'source_stored_at') }}
{%- endmacro %}

{# When a row of a fact was stored that is to be made anew although nothing came: before all that was ever stored. #}
{% macro to_make_anew() -%} '-infinity'::timestamptz {%- endmacro %}

{# After a fact was made from nothing: what comes next should not have to guess how much of what it holds. #}
{% macro analyze_when_new() -%}
    {{ 'select 1' if is_incremental() else 'analyze ' ~ this }}
{%- endmacro %}

{# In a from clause: the rows of a relation for each row before it, looked up by their index. A staging view is not
   joined by an index by itself, and a wrong guess of how many rows there are has it read whole, or once for each; the
   limit forbids both. `keys`: columns of it and what they equal; `and_where`: what else they must be, of `found`. #}
{% macro looked_up(relation, keys, and_where=none) -%}
    {%- set conditions = [and_where] if and_where else [] -%}
    {%- for key, value in keys.items() -%}
        {%- do conditions.append('found.' ~ key ~ ' = ' ~ value) -%}
    {%- endfor -%}
    lateral (
        select * from {{ relation }} as found
        where {{ conditions | join(' and ') }}
        limit all offset 0
    )
{%- endmacro %}
