"""What every part of Openshelf shares, and nothing more.

In: settings from the environment. Out: contracts (events, slates), the event log, the
database, the command line and the supervisor. Everything above (`models`, then `ingest`,
`streaming` and `dashboard`, then `dags`) imports from here; this package imports none of them.
"""
