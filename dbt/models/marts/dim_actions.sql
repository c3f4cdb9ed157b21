select
    action,
    label,
    description,
    strength,
    is_answer
from {{ ref('actions') }}
