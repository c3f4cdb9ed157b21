"""All SQL that Python runs, one module per subject.

Every function takes an open psycopg connection first, runs one statement or one transaction,
and returns typed rows. Connections come from `pool`; the schema comes from `migrations/`.
"""
