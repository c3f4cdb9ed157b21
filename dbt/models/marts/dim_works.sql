{{
    config(
        indexes=[{'columns': ['book_id'], 'unique': true}, {'columns': ['current_book_id']}],
        post_hook=["analyze {{ this }}", "{{ note_changed_works() }}"],
    )
}}

-- After the facts, so that each of their works is here although the catalogue may grow meanwhile.
-- depends_on: {{ ref('fct_interactions') }}, {{ ref('fct_slate_places') }}
with

works as (

    select * from {{ ref('stg_library__works') }}

),

work_subjects as (

    select * from {{ ref('stg_library__work_subjects') }}

),

subjects as (

    select * from {{ ref('stg_library__subjects') }}

),

before as (

    {% if is_there('dim_works', 'current_book_id') %}
        select
            book_id,
            current_book_id
        from marts.dim_works
    {% else %}
        select
            null::integer as book_id,
            null::integer as current_book_id
    {% endif %}

),

subjects_by_work as (

    select
        work_subjects.book_id,
        count(*)::integer as count_subjects,
        (array_agg(subjects.name order by work_subjects.position, subjects.name))[1] as principal_subject
    from work_subjects
    inner join subjects
        on work_subjects.subject_id = subjects.subject_id
    group by work_subjects.book_id

)

select
    works.book_id,
    coalesce(works.merged_into_book_id, works.book_id) as current_book_id,
    coalesce(before.current_book_id, works.book_id) as current_book_id_before,
    works.kind,
    works.title,
    works.authors_text,
    works.language,
    works.year,
    works.audience,
    works.publisher,
    works.rating,
    subjects_by_work.principal_subject,
    coalesce(subjects_by_work.count_subjects, 0) as count_subjects,
    works.is_active,
    works.added_at
from works
left join subjects_by_work
    on works.book_id = subjects_by_work.book_id
left join before
    on works.book_id = before.book_id
