"""Delays that double from one attempt to the next."""

from __future__ import annotations


class Backoff:
    """How long to wait before the next attempt.

    Args:
        first: seconds before the first attempt.
        longest: the longest delay, seconds.
        well_after: seconds without a failure, counted from the attempt, after which delays begin at `first` again.
    """

    def __init__(self, first: float, longest: float, well_after: float) -> None:
        self._first = first
        self._longest = longest
        self._well_after = well_after
        self._next = first
        self._retry_at = 0.0

    def failed(self, now: float) -> float:
        """Count a failure at `now`; returns the seconds to wait before the next attempt."""
        if now - self._retry_at > self._well_after:
            self._next = self._first
        delay = self._next
        self._retry_at = now + delay
        self._next = min(2 * delay, self._longest)
        return delay
