"""Finding and loading plugins, and the registry of the types that they provide."""
