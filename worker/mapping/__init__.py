"""What users write, made runnable: mapping files, expressions, Python mappers."""
