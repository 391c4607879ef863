"""Delays that double, and start over after a while without failures."""

from __future__ import annotations

from worker.core.backoff import Backoff


def test_delays_double_up_to_the_longest_and_reset_without_failures() -> None:
    backoff = Backoff(1, 5, well_after=100)
    assert [backoff.failed(now) for now in (1000, 1010, 1020, 1030, 1040)] == [1, 2, 4, 5, 5]
    assert backoff.failed(1044 + 50) == 5
    assert backoff.failed(1099 + 101) == 1
