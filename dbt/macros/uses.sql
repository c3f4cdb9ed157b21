{# How works were used, as COUNTER (Code of Practice 5.1) counts: an investigation is an open of a book's page or of its
   text, a request an open of its text. The same again within 30 seconds is a double click and counts once; a unique
   count has each work once in a session. Of `acts`, rows of fct_interactions. #}
{% macro uses_of_acts(acts) -%}
    select
        month_start_date,
        book_id,
        count(*) filter (where not is_double_click) as count_investigations,
        count(*) filter (where action = 'read' and not is_double_click) as count_requests,
        count(distinct session_id) as count_unique_investigations,
        count(distinct session_id) filter (where action = 'read') as count_unique_requests
    from (
        select
            date_trunc('month', acts.occurred_date)::date as month_start_date,
            acts.book_id,
            acts.session_id,
            acts.action,
            coalesce(
                acts.occurred_at - lag(acts.occurred_at) over (
                    partition by acts.session_id, acts.book_id, acts.action, date_trunc('month', acts.occurred_date)
                    order by acts.occurred_at, acts.event_id
                ) <= interval '30 seconds',
                false
            ) as is_double_click
        from {{ acts }} as acts
        where acts.action in ('open', 'read') and acts.book_id is not null and not acts.is_inferred
    ) as opens
    group by month_start_date, book_id
{%- endmacro %}

{# For the trigger on fct_interactions: what is deleted was used all the same. #}
{% macro count_gone_uses(rows) -%}
    {%- set counts = [
        'count_investigations', 'count_requests', 'count_unique_investigations', 'count_unique_requests'
    ] -%}
    insert into stream.gone_uses as kept (month_start_date, book_id, {{ counts | join(', ') }})
    {{ uses_of_acts('(' ~ rows ~ ')') }}
    {{ add_up('kept', ['month_start_date', 'book_id'], counts) }};
{%- endmacro %}

{# Who used what in a month, for reach: all, by principal subject and by language. `rows` as above. #}
{% macro reach_of_acts(acts, works) -%}
    select distinct
        date_trunc('month', acts.occurred_date)::date as period_start_date,
        groups.dimension,
        groups.value,
        acts.reader_key
    from {{ acts }} as acts
    left join {{ works }} as works
        on acts.book_id = works.book_id
    cross join lateral (
        values
        ('readers of a month', 'all', true),
        ('subjects of a month', coalesce(works.principal_subject, 'none'), acts.book_id is not null),
        ('languages of a month', coalesce(works.language, 'unknown'), acts.book_id is not null)
    ) as groups (dimension, value, is_meant)
    where acts.action != 'show' and not acts.is_inferred and groups.is_meant
{%- endmacro %}
