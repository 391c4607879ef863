"""The dead-letter topic: written, read, replayed from, marked."""
