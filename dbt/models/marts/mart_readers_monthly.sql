{{ acts_by_period('month') }}
