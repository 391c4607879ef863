"""Text that is safe to print on a terminal or in a log line."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with control characters escaped: in a terminal they could move the cursor or forge a line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
