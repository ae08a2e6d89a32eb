"""Who may do what: the token of local mode, and the log of uses of secrets."""
