"""Counts since the process started, as plain numbers: for the status page and the summary of `demo`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Totals:
    """Counts since the process started.

    Attributes:
        consumed, ignored, lost: records.
        rejected: records, by reason.
        delivered: calls.
        requests: by status: the HTTP status, or what failed (`timeout`, `connection`, ...).
        request_bytes: of bodies sent, retries included.
        retries: requests that were retried, by reason.
        tokens_awaited_seconds: waiting for the rate limit, summed over requests.
        batches: by why they were closed (`full`, `linger`, `drain`).
        holds: by reason.
        storms: times that the storm breaker tripped.
        dead_letters: acknowledged by the broker, by reason.
        dead_letters_failed: failed writes of dead letters.
        commits_failed: commits that failed.
        freshness_seconds: the last delivered request's; None before the first.
    """

    consumed: int = 0
    ignored: int = 0
    lost: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    delivered: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    request_bytes: int = 0
    retries: dict[str, int] = field(default_factory=dict)
    tokens_awaited_seconds: float = 0.0
    batches: dict[str, int] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)
    storms: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    dead_letters_failed: int = 0
    commits_failed: int = 0
    freshness_seconds: float | None = None


def count(counts: dict[str, int], name: str, n: int = 1) -> None:
    """Add `n` to a count that may not exist yet."""
    counts[name] = counts.get(name, 0) + n
