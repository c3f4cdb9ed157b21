{# Works that are part of another one today: what was done with them counts for that one. #}
{% macro merged_works() %}
    select
        book_id,
        current_book_id
    from {{ ref('dim_works') }}
    where current_book_id != book_id
{% endmacro %}
