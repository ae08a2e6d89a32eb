"""What a data source is: its fields and families, its secrets, the interface of a type, and a validation's result."""
