"""Calls: what each takes, the builders that make them, and what makes one valid."""
