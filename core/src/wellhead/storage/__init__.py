"""Keeping data sources: the record, the store that holds records, and the service that seals and opens them."""
