with

promotions as (

    select * from {{ ref('stg_learning__promotions') }}

)

select
    promotion_id,
    kind,
    version,
    reason,
    promoted_at
from promotions
