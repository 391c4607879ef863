"""Times for people: how long ago."""

from __future__ import annotations

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def span(seconds: float) -> str:
    """A duration in its largest unit: `3 h`. Below a second, and for a clock that is behind, `0 s`."""
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{max(0, int(seconds / size)):,} {unit}"


def ago(seconds: float) -> str:
    """How long ago: `3 h ago`."""
    return f"{span(seconds)} ago"
