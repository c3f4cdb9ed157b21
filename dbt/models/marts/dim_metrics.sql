select
    metric,
    label,
    definition,
    numerator,
    denominator,
    "interval"
from {{ ref('metrics') }}
