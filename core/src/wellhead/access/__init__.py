"""Who may do what: tokens, users and roles, and the log of uses of secrets."""
