"""Python mappers: what they are given, how they are loaded, and how their calls are encoded."""
