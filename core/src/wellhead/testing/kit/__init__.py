"""The conformance kit: rules for plugins, each checked offline, and without a credential.

`rules` has the one table of rules. `wellhead plugin check` and `wellhead.testing.DataSourceTypeContract` both go by it.
"""
