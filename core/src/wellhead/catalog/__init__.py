"""What can be done with data sources: make, read, list, change, delete and validate them."""
