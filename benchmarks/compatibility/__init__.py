"""Files in plotsim's language, made by plotsim 0.7.0 and by us: which tables, columns, keys and rows each gives.

`python -m benchmarks.compatibility --peer PYTHON` writes docs/compatibility.md and tests/compatibility/peer.json.
"""
