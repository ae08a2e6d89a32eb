"""The command line: a thin face over the catalog. It works on the workspace directly, with no server running."""
