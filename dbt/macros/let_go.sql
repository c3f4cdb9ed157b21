{# Before a fact is built: its rows whose source has gone go too, and triggers count them. Also before a full refresh,
   which would otherwise throw them away uncounted. What has gone is found in the indexes alone. #}
{% macro let_go(source_relation, key) -%}
    {%- if execute and load_relation(this) is not none -%}
        delete from {{ this }}
        where {{ key }} = any(array(
            select loaded.{{ key }} from {{ this }} as loaded
            where not exists (select 1 from {{ source_relation }} as kept where kept.{{ key }} = loaded.{{ key }})
        ))
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Whether a fact holds rows already, which this build only adds to. For models that a fact is made of. #}
{% macro is_partial(fact) -%}
    {%- set relation = adapter.get_relation(target.database, 'marts', fact) if execute else none -%}
    {{ return(relation is not none and not should_full_refresh()) }}
{%- endmacro %}

{# Whether a mart was made before. #}
{% macro is_there(mart) -%}
    {{ return(execute and adapter.get_relation(target.database, 'marts', mart) is not none) }}
{%- endmacro %}

{# The moment from which a fact is read again. #}
{% macro reread_from(fact) -%}
    {{ back_from(fact, 'source_stored_at') }}
{%- endmacro %}
