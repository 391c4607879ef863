"""`Retry-After` (RFC 9110, section 10.2.3): seconds, or an HTTP date."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_SECONDS = 300.0
"""The longest wait that is honoured, as in Customer.io's own SDK (docs/guarantees.md)."""

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """How long the API asks to wait, 0 to 300 seconds; None if it does not say or cannot be understood.

    Args:
        header: the header's value.
        now: epoch seconds, for dates.
    """
    text = (header or "").strip()
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        return min(float(text), MAX_SECONDS)
    try:
        date = parsedate_to_datetime(text)
        when = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(0.0, when - now), MAX_SECONDS)
