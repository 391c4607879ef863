"""Retry-After: seconds or a date, 0 to 300 seconds, and never an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.pipelines_api.retry_after import MAX_SECONDS, retry_after_seconds

NOON = 1_795_262_400.0
"""Sat, 21 Nov 2026 12:00:00 GMT."""


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("300", 300.0),
        ("86400", 300.0),
        ("9" * 5000, 300.0),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("soon", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 14:00:30 +0200", 30.0),
        ("Saturday, 21-Nov-26 12:00:30 GMT", 30.0),
        ("Sat Nov 21 12:00:30 2026", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:00:00 GMT", 300.0),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_anything_else_is_ignored(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(header, NOON) == seconds


DATES = st.text(st.sampled_from("SatNovGMT 0123456789:,-+"), max_size=40)


@given(st.text(max_size=60) | DATES)
def test_whatever_the_header_says_the_wait_is_bounded(header: str) -> None:
    seconds = retry_after_seconds(header, NOON)

    assert seconds is None or 0 <= seconds <= MAX_SECONDS
