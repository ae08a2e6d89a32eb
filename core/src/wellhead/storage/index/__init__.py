"""The index: what answers lists without opening each record, and what was shown and chosen last."""
