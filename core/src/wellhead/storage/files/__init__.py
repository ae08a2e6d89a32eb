"""The store in files: what is read and written in the directory of a workspace, and told to the index."""
