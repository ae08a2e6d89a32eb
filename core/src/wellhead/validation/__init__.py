"""Running a type's validator against a data source, with a deadline, and telling what was found."""
