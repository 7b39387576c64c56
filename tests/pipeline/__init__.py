"""The same through Dagster and each store: partitions, backfills, checks, the catalogue, alerts, deployment. Minutes.

Most use an instance and a store of their own, in the process of the test. What needs a server, a daemon or a kill is a long
proof. Yours goes here if it is about an asset, a store, a run or what the UI shows.
"""
