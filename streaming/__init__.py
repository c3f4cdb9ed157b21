"""The dataflows: event log -> session state -> policy -> slates; and the relay to a broker.

In: the log table or the topic of interactions. Out: interactions, sessions, slates and dead letters in
schema `stream`, and the slates topic. Run by `openshelf stream run` and `openshelf stream relay`.
"""
