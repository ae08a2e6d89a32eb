"""The page: a face for people, in a browser. It asks the operations of the API, and has no rules of its own."""
