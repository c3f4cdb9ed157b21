{# The role under which staff pages read: the marts and what tells whether they can be trusted, nothing else. #}
{% macro grant_to_pages() -%}
    do $$
    begin
        if exists (select from pg_roles where rolname = 'openshelf_pages')
            and exists (select from pg_namespace where nspname = 'marts') then
            grant usage on schema marts, learning, library to openshelf_pages;
            grant select on all tables in schema marts to openshelf_pages;
            grant select on learning.warehouse_builds, library.staff_notes to openshelf_pages;
        end if;
    end
    $$
{%- endmacro %}
