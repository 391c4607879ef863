"""Calls: their fields, the builders that make them, and their validation."""
