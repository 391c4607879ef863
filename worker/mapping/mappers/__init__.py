"""Python mappers: their events, how they are loaded, and how their calls are encoded."""
