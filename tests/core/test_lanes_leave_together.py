from __future__ import annotations

from tests.support.memory_source import MemoryRecord
from worker.core.lanes import LANES, Lanes

LINGER = 1.0
KEYS = [str(number).encode() for number in range(1000)]


def lanes_with(now: float, keys: list[bytes], into: Lanes) -> None:
    track = next(iter(into.tracks.values()))
    for offset, key in enumerate(keys):
        into.add(track, MemoryRecord(("orders", 0), offset, key), [(b"{}", b"")], now)


def new_lanes() -> Lanes:
    lanes = Lanes(max_bytes=475_000, max_calls=2000, linger=LINGER, max_in_flight=8)
    lanes.assign(("orders", 0), 0)
    return lanes


def test_what_waits_when_a_lane_has_lingered_leaves_with_it_in_as_many_requests_as_it_takes() -> None:
    lanes = new_lanes()
    lanes_with(0.0, KEYS[:1], lanes)
    lanes_with(0.9, KEYS, lanes)
    assert lanes.take(0.9) is None
    batches = []
    while batch := lanes.take(1.0):
        batches.append(batch)
    assert sum(len(batch.calls) for batch in batches) == len(KEYS) + 1
    assert max(len(batch.lanes) for batch in batches) == lanes.share
    assert len(batches) == LANES / lanes.share


def test_what_comes_after_a_lane_has_left_lingers() -> None:
    lanes = new_lanes()
    lanes_with(0.0, KEYS[:500], lanes)
    first = lanes.take(1.0)
    assert first
    lanes_with(1.1, KEYS[500:], lanes)
    while lanes.take(1.1):  # those that were there
        pass
    lanes.finish(first)  # its lanes have got calls meanwhile
    assert lanes.take(1.1) is None
    assert lanes.next_due() == 1.1 + LINGER
    assert lanes.take(1.1 + LINGER)
