"""How log lines look, and what never stands in them."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.settings import TelemetrySettings
from worker.telemetry.logs import (
    MAX_KINDS,
    JsonFormatter,
    LogRateLimiter,
    TextFormatter,
    configure_logging,
    log,
    log_exception,
)


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("worker")
    before = list(root.handlers), ours.level
    yield
    root.handlers[:], _ = before
    ours.setLevel(before[1])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("worker", logging.WARNING, __file__, 1, message, None, None)
    made.__dict__ |= {"event": "something_happened", "fields": fields}
    return made


def test_a_line_is_one_json_object_with_time_level_event_message_and_fields() -> None:
    stream = io.StringIO()
    configure_logging(TelemetrySettings(log_format="json"), stream)
    log(logging.WARNING, "offsets_lost", "some offsets were lost", topic="Ärger", count=3, nothing=None)

    [line] = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "warning",
        "event": "offsets_lost",
        "message": "some offsets were lost",
        "topic": "Ärger",
        "count": 3,
    }


def test_auto_is_json_in_a_file_and_text_on_a_terminal() -> None:
    stream, terminal = io.StringIO(), Terminal()
    configure_logging(TelemetrySettings(), stream)
    log(logging.INFO, "worker_started", "the worker started", version="1")
    configure_logging(TelemetrySettings(), terminal)
    log(logging.INFO, "worker_started", "the worker started", version="1", topics=["a", "b"])

    assert len(lines(stream)) == 1
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d\.\d{3} INFO    the worker started version=1 topics=\["a", "b"\]\n', plain
    )


def test_text_in_a_file_has_no_colors() -> None:
    stream = io.StringIO()
    configure_logging(TelemetrySettings(log_format="text"), stream)
    log(logging.ERROR, "delivery_held", "delivery is on hold")

    assert "\x1b" not in stream.getvalue()


def test_the_level_is_for_our_lines_and_other_libraries_are_heard_from_warning_on() -> None:
    stream = io.StringIO()
    configure_logging(TelemetrySettings(log_format="json", log_level="debug"), stream)
    log(logging.DEBUG, "looked_closely", "we looked closely")
    logging.getLogger("aiohttp.client").info("chatter")
    logging.getLogger("aiohttp.client").warning("trouble %d", 7)

    ours, theirs = lines(stream)
    assert ours["event"] == "looked_closely"
    assert (theirs["event"], theirs["logger"], theirs["message"]) == (
        "library_logged",
        "aiohttp.client",
        "trouble 7",
    )


def test_below_the_level_nothing_is_written() -> None:
    stream = io.StringIO()
    configure_logging(TelemetrySettings(log_level="error"), stream)
    log(logging.WARNING, "request_retried", "requests are sent again")

    assert stream.getvalue() == ""


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_exception_is_logged_by_type_and_place_without_its_text(log_format: Any) -> None:
    stream = io.StringIO()
    configure_logging(TelemetrySettings(log_format=log_format), stream)
    people: dict[str, int] = {}
    try:
        people["grace@example.com"]
    except KeyError as error:
        log_exception("page_failed", "a page failed", error)
        logging.getLogger("aiohttp").exception("unhandled")

    assert "grace" not in stream.getvalue()
    assert stream.getvalue().count("builtins.KeyError") == 2
    assert "test_logs.py:" in stream.getvalue()


def test_kinds_beyond_the_limit_are_logged_together() -> None:
    quiet = LogRateLimiter(lambda: 0.0)
    told = sum(quiet.count(("commit_failed", str(n)), 1) for n in range(10_000))

    assert told == MAX_KINDS + 1
    assert sum(n for _, n in quiet.overdue(everything=True)) == 10_000 - told


def test_a_closed_stream_stops_the_lines_and_nothing_else() -> None:
    stream = io.StringIO()
    configure_logging(TelemetrySettings(), stream)
    stream.close()

    log(logging.ERROR, "delivery_held", "delivery is on hold")


@given(
    st.text(),
    st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.text() | st.integers(), max_size=4),
)
def test_every_message_is_one_line_without_control_characters(message: str, fields: dict[str, Any]) -> None:
    for formatter in (JsonFormatter(), TextFormatter()):
        line = formatter.format(record(message, **fields))

        assert len(line.splitlines()) <= 1
        assert not re.search(r"[\x00-\x1f\x80-\x9f]", line)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.floats(0, 20)), max_size=60))
def test_every_count_is_logged_at_most_once_per_interval_and_at_the_end(
    steps: list[tuple[str, int, float]],
) -> None:
    now = [0.0]
    quiet = LogRateLimiter(lambda: now[0])
    told: dict[str, list[tuple[float, int]]] = {"a": [], "b": []}
    for kind, n, later in steps:
        now[0] += later
        if count := quiet.count((kind,), n):
            told[kind].append((now[0], count))
    moments = {kind: [when for when, _ in found] for kind, found in told.items()}
    for (kind,), count in quiet.overdue(everything=True):
        told[kind].append((now[0], count))

    for kind in "ab":
        assert sum(count for _, count in told[kind]) == sum(n for k, n, _ in steps if k == kind)
        assert all(b - a >= 10 - 1e-9 for a, b in zip(moments[kind], moments[kind][1:], strict=False))
