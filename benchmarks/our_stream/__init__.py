"""What `benchmarks/stream.py` measures of our own stream, and the acts that both designs get.

`trace` makes the acts, `installation` a home with works and a champion, `appending` plays acts into the log,
`catching_up` lets the dataflow take them, `brokers`
runs the broker, `bare_parts` times its three parts alone, `long_runs` watches memory,
`picture` draws the report.
"""
