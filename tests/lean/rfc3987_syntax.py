"""In the place of a package that a tool of developers brings: see tests/conftest.py."""

raise ImportError
