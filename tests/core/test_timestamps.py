from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core import timestamps
from worker.core.timestamps import from_datetime, from_millis, rfc3339

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=offsets)  # noqa: DTZ001 - bounds are naive


def expected(moment: datetime) -> str:
    in_utc = moment.astimezone(UTC)
    return f"{in_utc.replace(tzinfo=None).isoformat()[:19]}.{in_utc.microsecond // 1000:03d}Z"


@given(moments, st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]), st.sampled_from("Tt "))
def test_text_with_any_offset_is_written_in_utc(moment: datetime, digits: str, separator: str) -> None:
    text = moment.isoformat(sep=separator, timespec=digits)
    cut = datetime.fromisoformat(text)
    assert rfc3339(text) == expected(cut)
    assert rfc3339(expected(cut)) == expected(cut)


@given(moments)
def test_text_milliseconds_and_datetime_give_the_same_time(moment: datetime) -> None:
    millis = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert from_millis(millis) == from_datetime(moment) == rfc3339(moment.isoformat())


def test_the_first_formatted_time_may_be_before_1970(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamps._Last, "known", None)
    assert from_millis(-1) == "1969-12-31T23:59:59.999Z"
    assert from_millis(-1000) == "1969-12-31T23:59:59.000Z"


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T10:00:00.5Z", "2026-11-21T10:00:00.500Z"),
        ("2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123Z"),
        ("2026-11-21t10:00:00z", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T10:00:00-00:00", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T00:30:00+01:00", "2026-11-20T23:30:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("2026-11-21 10:00:00+02", "2026-11-21T08:00:00.000Z"),
        ("2026-11-21T10:00:00.5-0230", "2026-11-21T12:30:00.500Z"),
        (100_000_000, "1973-03-03T09:46:40.000Z"),
        (99_999_999_999, "5138-11-16T09:46:39.000Z"),
        (100_000_000_000, "1973-03-03T09:46:40.000Z"),
        (99_999_999_999_999, "5138-11-16T09:46:39.999Z"),
        (100_000_000_000_000, "1973-03-03T09:46:40.000Z"),
        (1_763_719_200_123_999, "2025-11-21T10:00:00.123Z"),
        (99_999_999_999_999_999, "5138-11-16T09:46:39.999Z"),
        (100_000_000_000_000_000, "1973-03-03T09:46:40.000Z"),
        (1_763_719_200_123_999_999, "2025-11-21T10:00:00.123Z"),
        (9_223_372_036_854_775_807, "2262-04-11T23:47:16.854Z"),
        (1_763_719_200_123, "2025-11-21T10:00:00.123Z"),
        (1_763_719_200.0, "2025-11-21T10:00:00.000Z"),
    ],
)
def test_valid_times_are_converted(given_: object, sent: str) -> None:
    assert rfc3339(given_) == sent


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1.5, float("nan"), float("inf"),
        0, -1, 0.0, 20_000, 99_999_999, 2**63, 10**30, -(10**30), [], {}, "",
        "yesterday", "1763719200", "2026-11-21", "2026-11-21T10:00:00", "2026-11-21T10:00Z", "20261121T100000Z",
        "2026-W47-6T10:00:00Z", "2026-02-30T10:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T10:60:00Z",
        "2026-11-21T10:00:61Z", "2026-11-21T10:00:00+24:00", "2026-11-21T10:00:00+01:60", "2026-11-21T10:00:00+010",
        "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00.1²3Z", "2026-11-21T10:00:00.000Z,", " 2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00Z\n", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-11-21T10:00:00Z",
    ],
)  # fmt: skip
def test_invalid_times_are_refused_and_not_quoted(value: object) -> None:
    with pytest.raises(ValueError, match="time") as caught:
        rfc3339(value)
    assert not isinstance(value, str) or not value or value not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (20_000, "it counts days"),
        (-1, "negative"),
        (1.5, "fraction"),
        (2**63, "above"),
        ("2026-11-21 10:00:00", "without an offset"),
        ("2026-11-21", "date without a time"),
        ("1763719200", "to_number"),
        ("21.11.2026", "other formats"),
    ],
)
def test_a_refusal_says_what_the_value_looks_like(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rfc3339(value)


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", fullmatch=True))
def test_every_accepted_text_becomes_a_24_character_utc_time(text: str) -> None:
    try:
        sent = rfc3339(text)
    except ValueError:
        return
    assert len(sent) == 24
    assert datetime.fromisoformat(sent).tzinfo is not None


def test_a_datetime_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        from_datetime(datetime(2026, 11, 21))  # noqa: DTZ001 - that is what is tested
