"""Python mappers: their events, and how they are loaded and run."""
