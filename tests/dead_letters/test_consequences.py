"""How many calls of a replay start campaigns or change nothing, and of how many people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.support.memory_source import MemoryRecord
from worker.customerio.advice import Remark
from worker.dead_letters.consequences import Consequences

NOW = 1_795_269_600.0
HOUR = 3600.0
DAY = 24 * HOUR


def source(offset: int, age: float, key: bytes | None = b"k", partition: int = 0) -> MemoryRecord:
    return MemoryRecord(("people", partition), offset, key, b"{}", [], int((NOW - age) * 1000))


def identify(age: float, who: str = "u1") -> dict[str, Any]:
    time = datetime.fromtimestamp(NOW - age, UTC).isoformat()
    return {"type": "identify", "userId": who, "timestamp": time}


def track(age: float, who: str = "u1") -> dict[str, Any]:
    return {**identify(age, who), "type": "track", "event": "Bought"}


def test_events_are_counted_by_kind_and_by_people() -> None:
    found = Consequences(NOW, None)
    found.add(source(0, HOUR), [track(HOUR), track(2 * HOUR), track(HOUR, "u2")])
    found.add(source(1, 4 * DAY), [track(4 * DAY)])
    assert found.counts() == {Remark.MAY_START_CAMPAIGNS: (3, 2), Remark.STARTS_NO_CAMPAIGN: (1, 1)}
    assert found.sources == {}


def test_a_profile_update_is_counted_once_if_a_later_record_of_its_key_is_newer() -> None:
    found = Consequences(NOW, DAY)
    found.add(source(3, 5 * HOUR), [identify(5 * HOUR)])
    assert found.sources == {"people": {0: 4}}
    found.saw(source(4, HOUR, b"other"))
    found.saw(source(4, HOUR, None))
    found.saw(source(4, HOUR, partition=1))
    found.saw(source(2, HOUR))  # earlier in the log
    found.saw(source(4, 6 * HOUR))  # later in the log, but older
    assert found.counts() == {}
    found.saw(source(5, 4 * HOUR))
    found.saw(source(6, 3 * HOUR))
    assert found.counts() == {Remark.MAY_BE_IGNORED: (1, 1)}


def test_a_later_record_that_is_replayed_too_arrives_later_and_does_not_count() -> None:
    found = Consequences(NOW, DAY)
    found.add(source(0, 5 * HOUR), [identify(5 * HOUR)])
    found.add(source(1, 4 * HOUR), [identify(4 * HOUR)])
    found.saw(source(1, 4 * HOUR))
    assert found.counts() == {}
    found.saw(source(2, 3 * HOUR))
    assert found.counts() == {Remark.MAY_BE_IGNORED: (2, 1)}


def test_a_profile_update_beyond_stale_after_is_counted_without_a_look_at_the_source() -> None:
    found = Consequences(NOW, DAY)
    found.add(source(0, 2 * DAY), [identify(2 * DAY), identify(2 * DAY, "u2")])
    assert found.counts() == {Remark.MAY_BE_IGNORED: (2, 2)}
    assert found.sources == {}


def test_the_first_offset_to_look_at_is_after_the_earliest_update_of_each_partition() -> None:
    found = Consequences(NOW, DAY)
    for offset, partition in ((9, 0), (4, 0), (7, 1)):
        found.add(source(offset, HOUR, b"%d" % offset, partition), [identify(HOUR)])
    found.add(source(1, HOUR, None), [identify(HOUR)])  # without a key nothing is later
    assert found.sources == {"people": {0: 5, 1: 8}}
