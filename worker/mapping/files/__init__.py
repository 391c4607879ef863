"""Mapping files: their schema, how they are read, and what `check` says about them."""
