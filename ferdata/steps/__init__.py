"""The steps, in their order: ingest, merge (group, split), stats, validate, show. One verb, one file, one function."""
