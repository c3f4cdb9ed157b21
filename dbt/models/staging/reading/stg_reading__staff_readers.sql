-- Of who stands behind a pseudonym nothing else leaves the schema.
with

accounts as (

    select * from {{ source('reading', 'accounts') }}

),

pseudonyms as (

    select * from {{ source('reading', 'pseudonyms') }}

),

renamed as (

    select pseudonyms.reader_key
    from pseudonyms
    inner join accounts
        on pseudonyms.account_id = accounts.account_id
    where accounts.role in ('staff', 'admin')

)

select * from renamed
