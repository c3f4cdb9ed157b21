select
    metric,
    label,
    definition,
    numerator,
    denominator,
    "interval" -- noqa: RF06
from {{ ref('metrics') }}
