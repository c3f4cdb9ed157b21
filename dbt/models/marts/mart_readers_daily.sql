{{ acts_by_period('day') }}
