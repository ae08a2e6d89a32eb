"""What stands between a plugin and the outside: which addresses are dialled, and which files are opened."""
