"""The storefront over HTTP: for programs and e-reader apps."""
