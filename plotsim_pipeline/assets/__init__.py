"""Assets: the factories of stages, tables, report, overview and manifest, and what the catalogue says of them."""
