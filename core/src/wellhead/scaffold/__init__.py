"""Beginning a plugin: a complete package from templates, for `wellhead plugin new`."""
