"""What learns or ranks: text encoder, adapter, policy, registry, search, simulator.

In: catalogue, interactions and slates from Postgres. Out: models in schema `learning`, slates drawn in
the dataflow's process, search results. Called by `streaming`, `ingest`, `dashboard` and the training DAG.
"""
