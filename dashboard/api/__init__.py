"""The storefront over HTTP: for programs (JSON under /api) and for e-reader apps (OPDS under /opds)."""
