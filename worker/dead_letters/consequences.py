"""What a replay does at Customer.io beyond a 200: counts of remarks, and of the people they concern.

Whether a profile update is older than a later record of the same key is known only from the source topic. So the
counting has two steps: `add` for each dead letter that is sent, then `saw` for each record of the source topics within
`sources`, and then `counts`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.core.record_reading import record_millis
from worker.customerio.advice import PROFILE_CALLS, Remark, call_time, remarks, subject

if TYPE_CHECKING:
    from worker.core.records import Record

Place = tuple[str, int]
"""A source topic and partition."""


@dataclass(slots=True)
class Affected:
    """How many calls a remark is about, and the hashes of their people (or groups)."""

    calls: int = 0
    people: set[int] = field(default_factory=set)

    def add(self, person: int) -> None:
        """Count one call."""
        self.calls += 1
        self.people.add(person)


@dataclass(frozen=True, slots=True)
class _Update:
    """A profile update that is sent: its offset in the source, its own time in seconds, and its person's hash."""

    offset: int
    time: float
    person: int


class Consequences:
    """Counts the remarks about the calls of a replay.

    Args:
        now: when the replay began, epoch seconds.
        stale_after: the age in seconds from which a profile update is taken to be superseded (`--stale-after`, even
            with `--allow-stale`); None means never.
    """

    def __init__(self, now: float, stale_after: float | None) -> None:
        self._now = now
        self._stale_after = stale_after
        self._affected: dict[Remark, Affected] = {remark: Affected() for remark in Remark}
        self._open: dict[tuple[str, int, bytes], list[_Update]] = defaultdict(list)
        self._sent: set[tuple[str, int, int]] = set()

    def add(self, origin: Record, calls: Iterable[Mapping[str, Any]]) -> None:
        """Count the calls of one dead letter that is sent.

        Args:
            origin: its source record.
            calls: decoded.
        """
        self._sent.add((origin.topic(), origin.partition(), origin.offset()))
        for call in calls:
            self._add(origin, call)

    def _add(self, origin: Record, call: Mapping[str, Any]) -> None:
        person = hash(subject(call))
        stale = self._is_stale(call)
        for remark in remarks(call, self._now, superseded=stale):
            self._affected[remark].add(person)
        key = origin.key()
        if call["type"] in PROFILE_CALLS and not stale and key is not None and "timestamp" in call:
            update = _Update(origin.offset(), call_time(call, self._now), person)
            self._open[origin.topic(), origin.partition(), key].append(update)

    def _is_stale(self, call: Mapping[str, Any]) -> bool:
        age = self._now - call_time(call, self._now)
        return self._stale_after is not None and age > self._stale_after

    @property
    def sources(self) -> dict[str, dict[int, int]]:
        """The source topics that may have later records, with the first offset to look at in each partition."""
        found: dict[str, dict[int, int]] = {}
        for (topic, partition, _), updates in self._open.items():
            first = min(update.offset for update in updates) + 1
            firsts = found.setdefault(topic, {})
            firsts[partition] = min(first, firsts.get(partition, first))
        return found

    def saw(self, record: Record) -> None:
        """Note a record of a source topic. One that is replayed too does not count: it arrives after earlier ones."""
        key, millis = record.key(), record_millis(record)
        if key is None or millis is None:
            return
        place = (record.topic(), record.partition())
        updates = self._open.get((*place, key))
        if not updates or (*place, record.offset()) in self._sent:
            return
        left = [update for update in updates if not _is_older(update, record.offset(), millis / 1000)]
        for update in updates:
            if update not in left:
                self._affected[Remark.MAY_BE_IGNORED].add(update.person)
        self._open[*place, key] = left

    def counts(self) -> dict[Remark, tuple[int, int]]:
        """For each remark that applies: how many calls, and how many people."""
        return {
            remark: (found.calls, len(found.people))
            for remark, found in self._affected.items()
            if found.calls
        }


def _is_older(update: _Update, offset: int, time: float) -> bool:
    return update.offset < offset and update.time < time
