"""The REST API: a thin face over the catalog. Its document and its paths are made from one table of operations."""
