"""Loads and compiles what users write: mapping files, expressions, Python mappers."""
