"""The dead-letter topic: writing and reading dead letters, replaying them, marking them as resolved."""
