{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ take_out(ref('int_acts_of_readers'), 'occurred_date', 'period_start_date') }}",
    )
}}

{{ organic_by_period('day') }}
