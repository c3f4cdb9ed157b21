{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ take_out(ref('int_acts_of_readers'), 'occurred_date', 'period_start_date', 'month') }}",
    )
}}

{{ acts_by_period('month') }}
