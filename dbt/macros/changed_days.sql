{# Marts by day are made of days. Before a build the days that changed are taken out of the mart (`take_out`), and every
   day that is not there is made (`is_to_make`): a late row changes its own day and no other. The counts of what has gone
   (stream.gone_*) stand in the same source, so that a day never shrinks because rows grew old.

   A day changed when a row of it was stored since the last build, or when what it counts is not what the mart says.
   `counted`: what the mart is made of; `period`: its day (or month); `column`: the same in the mart; `measure`: what is
   compared, a column of both; `whole`: the rows of the mart that hold everything once; `only`: what of it is counted. #}
{% macro take_out(counted, period, column, measure, whole='true', only='true') -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }} as loaded
        where loaded.{{ column }} in (
            select {{ period }}
            from {{ counted }} as counted
            where
                {{ only }}
                and counted.source_stored_at >= (
                    select
                        coalesce(max(newest_stored_at), '-infinity')
                        - interval '{{ var("lookback_hours") }} hours'
                    from {{ this }}
                )
            union distinct
            select coalesce(counts.period, marted.period)
            from (
                select
                    {{ period }} as period,
                    sum(counted.{{ measure }}) as total
                from {{ counted }} as counted
                where {{ only }}
                group by {{ period }}
            ) as counts
            full outer join (
                select
                    {{ column }} as period,
                    sum({{ measure }}) as total
                from {{ this }}
                where {{ whole }}
                group by {{ column }}
            ) as marted
                on counts.period = marted.period
            where counts.total is distinct from marted.total
        )
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# In the where clause of what a mart by day is made of. #}
{% macro is_to_make(period, column) -%}
    {%- if is_incremental() -%}
        not coalesce({{ period }} = any(array(select distinct loaded.{{ column }} from {{ this }} as loaded)), false)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
