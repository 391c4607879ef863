"""Which dead letters a replay sends, and which calls are too old to be sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.dead_letters import FAILED_AT, dead_letter_record, read
from tests.support.memory_source import MemoryRecord
from worker.core.reasons import Stage
from worker.customerio.reference import DESTRUCTIVE_CALLS, SEMANTIC_EVENTS
from worker.dead_letters.selection import Filters, LeftAlone, Selection, Window

DAY = 86_400.0
HAPPENED_AT = 1_700_000_000.0


def selection(**given: Any) -> Selection:
    return Selection(**{"filters": Filters(), "now": HAPPENED_AT + 2 * DAY, **given})


def call(name: str, **fields: Any) -> dict[str, Any]:
    if name in SEMANTIC_EVENTS:
        return {"type": "track", "event": SEMANTIC_EVENTS[name], **fields}
    return {"type": name, **({"event": "Bought"} if name == "track" else {}), **fields}


LETTER = read(
    dead_letter_record(reason="HTTP_400", stage=Stage.DELIVER, replays=2, millis=int(HAPPENED_AT * 1000))
)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(), True),
        (Filters(reasons=frozenset({"HTTP_400", "MISSING_ID"})), True),
        (Filters(reasons=frozenset({"MISSING_ID"})), False),
        (Filters(stages=frozenset({"deliver"})), True),
        (Filters(stages=frozenset({"map"})), False),
        (Filters(topics=frozenset({"orders"})), True),
        (Filters(topics=frozenset({"devices"}), stages=frozenset({"deliver"})), False),
        (Filters(windows=(Window(since=FAILED_AT),)), True),
        (Filters(windows=(Window(since=FAILED_AT + 0.01),)), False),
        (Filters(windows=(Window(until=FAILED_AT),)), False),
        (Filters(windows=(Window(until=FAILED_AT + 0.01),)), True),
        (Filters(windows=(Window(0.0, 1.0), Window(FAILED_AT - 1, FAILED_AT + 1))), True),
        (Filters(windows=(Window(0.0, 1.0), Window(FAILED_AT + 1))), False),
    ],
)
def test_a_dead_letter_is_selected_if_every_filter_matches(filters: Filters, *, wanted: bool) -> None:
    assert filters.match(LETTER) is wanted
    assert (selection(filters=filters).before(LETTER) is None) is wanted


def test_a_dead_letter_is_left_alone_after_max_replays() -> None:
    assert selection(max_replays=2).before(LETTER) is LeftAlone.REPLAYED_TOO_OFTEN
    assert selection(max_replays=3).before(LETTER) is None
    assert selection(max_replays=None).before(LETTER) is None


def test_a_dead_letter_without_its_value_or_its_coordinates_is_left_alone() -> None:
    headers = [*(dead_letter_record().headers() or []), ("dlq.value_bytes", b"5")]
    assert (
        selection().before(read(MemoryRecord(("d", 0), 0, None, None, headers))) is LeftAlone.VALUE_LEFT_OUT
    )
    lost: list[tuple[str, bytes | None]] = [("__connect.errors.topic", b"orders")]
    assert selection().before(read(MemoryRecord(("d", 0), 0, None, b"{}", lost))) is LeftAlone.NO_ORIGIN


def test_max_age_refers_to_the_source_records_timestamp() -> None:
    assert selection(max_age=2 * DAY).before(LETTER) is None
    assert selection(max_age=2 * DAY - 1).before(LETTER) is LeftAlone.TOO_OLD


@pytest.mark.parametrize("name", sorted(DESTRUCTIVE_CALLS | {"identify", "group"}))
def test_a_stale_call_that_sets_or_deletes_data_is_left_alone(name: str) -> None:
    calls = [call("track"), call(name)]
    assert selection(stale_after=2 * DAY - 1).after(LETTER, calls) is LeftAlone.STALE
    assert selection(stale_after=2 * DAY).after(LETTER, calls) is None
    assert selection(stale_after=None).after(LETTER, calls) is None


@pytest.mark.parametrize(
    "name", ["track", "page", "screen", "report_delivery_event", "create_or_update_device"]
)
def test_other_calls_are_never_stale(name: str) -> None:
    assert selection(stale_after=1.0).after(LETTER, [call(name)]) is None


def test_an_old_call_in_a_new_record_is_stale() -> None:
    back_filled = call("identify", timestamp="2020-01-01T00:00:00.000Z")
    assert selection(stale_after=30 * DAY).after(LETTER, [back_filled]) is LeftAlone.STALE
    unreadable = call("identify", timestamp="never")
    assert selection(stale_after=30 * DAY).after(LETTER, [unreadable]) is None


def test_skip_destructive_leaves_destructive_calls_of_any_age_alone() -> None:
    young = selection(now=HAPPENED_AT, skip_destructive=True)
    assert young.after(LETTER, [call("delete_user")]) is LeftAlone.DESTRUCTIVE
    assert young.after(LETTER, [call("identify"), call("group")]) is None
