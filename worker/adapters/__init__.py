"""Everything with side effects: one folder for each external system."""
