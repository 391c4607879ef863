"""What touches the world: one file, or a few of one name, for each outside system."""
