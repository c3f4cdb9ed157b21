"""Foreign data into our catalogue: Calibre -> clean -> works -> Postgres -> embeddings.

In: a Calibre library folder. Out: rows in schema `library`. Called by `openshelf ingest`, `openshelf embed`
and the catalogue DAG. Also builds the demo library, a real Calibre library, from the curated files.
"""
