"""YAML documents with the position of every key, and environment variables in them: for settings and mappings alike."""
