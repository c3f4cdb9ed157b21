"""Visitors of the storefront for benchmarks/storefront.py."""
