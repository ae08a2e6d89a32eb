"""Who may do what: tokens, users and roles, limits, and the audit log."""
