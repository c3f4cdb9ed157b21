{# What a reader had erased at the source leaves an incremental table with the next build. #}
{% macro delete_erased(source_relation, key_columns) -%}
    delete from {{ this }} as loaded
    where {{ is_incremental() }} and not exists (
        select 1 from {{ source_relation }} as kept
        where
            (kept.{{ key_columns | join(', kept.') }})
            = (loaded.{{ key_columns | join(', loaded.') }})
    )
{%- endmacro %}

{# The moment from which an incremental build reads again. #}
{% macro reread_from() -%}
    (
        select coalesce(max(loaded.source_stored_at), '-infinity')
            - interval '{{ var("lookback_hours") }} hours'
        from {{ this }} as loaded
    )
{%- endmacro %}
