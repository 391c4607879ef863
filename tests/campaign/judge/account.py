"""A history, arranged for its judge: which record a call is of, what became of each call and record."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from typing import Any

from tests.campaign.history import Acceptance, DeadLetter, History, Request, Sent, Source
from worker.core.records import Partition

Name = tuple[int, int]
"""A call: the number of its event, and its index."""

Origin = tuple[str, str, str]
"""Topic, partition and offset as a dead letter says them."""

CLOCK_SECONDS = 0.002
"""Kafka's timestamps are whole milliseconds."""


class Account:
    """A history with what follows from it.

    Attributes:
        history: all facts.
        sources: the record of each event, by its number.
        accepted: all acceptances of each call, in order.
        refused: when each call was first refused alone, and the statuses.
        dead_letters: those of each record, by time.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.sources = {each.event.number: each for each in history.sources}
        self.accepted: dict[Name, list[Acceptance]] = defaultdict(list)
        self.refused: dict[Name, list[Request]] = defaultdict(list)
        self.dead_letters: dict[Origin, list[DeadLetter]] = defaultdict(list)
        for acceptance in history.accepted:
            self.accepted[acceptance.call.name].append(acceptance)
        for request in history.requests:
            if (call := request.refuses) is not None:
                self.refused[call.name].append(request)
        for letter in sorted(history.dead_letters, key=lambda each: each.at):
            self.dead_letters[origin_of(letter)].append(letter)
        self._commits: dict[Partition, tuple[list[float], list[int]]] = defaultdict(lambda: ([], []))
        for commit in history.commits:
            times, offsets = self._commits[commit.partition]
            times.append(commit.at)
            offsets.append(commit.offset)

        self._records: dict[Partition, list[Source]] = defaultdict(list)
        for source in sorted(history.sources, key=lambda each: (each.partition, each.offset)):
            self._records[source.partition].append(source)
        self._done = {partition: self._prefix(records) for partition, records in self._records.items()}
        self._committable: dict[tuple[Partition, float], int] = {}

    def last_done(self, partition: Partition, offset: int) -> tuple[float, Source] | None:
        """When the last record below an offset was done, and which; infinity if it never was."""
        below = self._done.get(partition, [])[:offset]
        return below[-1] if below else None

    def _prefix(self, records: list[Source]) -> list[tuple[float, Source]]:
        """For each offset, the record at or below it that was done last, and when."""
        prefix: list[tuple[float, Source]] = []
        for source in records:
            mine = (self._done_at(source), source)
            prefix.append(max(prefix[-1], mine, key=lambda each: each[0]) if prefix else mine)
        return prefix

    def may_come_again(self, source: Source, first: float, again: float) -> bool:
        """Whether the calls or the dead letter of a record may come a second time without a lost response.

        After a kill, a stop or a loss they may. After an orderly move of the partition only if the offset that its
        owner could commit was at or below this record.
        """
        moves = [each.at for each in self.history.moves if source.partition in each.partitions]
        return self.history.disrupted(first, again) or any(
            first - 1 <= at <= again and self._committable_at(source.partition, at) <= source.offset
            for at in moves
        )

    def _committable_at(self, partition: Partition, moved: float) -> int:
        """What the owner of a partition could commit when it moved: it knows what was done since its assignment."""
        if (found := self._committable.get((partition, moved))) is None:
            assigned = [each.at for each in self.history.assigned if partition in each.partitions]
            begun = max((at for at in assigned if at <= moved), default=0.0)
            first = self.committed_at(partition, begun)
            left = (
                each.offset
                for each in self._records[partition][first:]
                if not self._is_known_done(each, begun, moved)
            )
            found = self._committable[partition, moved] = next(left, len(self._records[partition]))
        return found

    def _is_known_done(self, source: Source, begun: float, moved: float) -> bool:
        """Whether the responses and dead letters of a time say that a record is done."""
        outcome = source.event.outcome
        letter = any(begun <= each.at <= moved for each in self.letters_of(source))
        if not outcome.calls:
            return outcome.reason is None or letter
        return all(
            any(
                each.request.is_answered and begun <= each.at <= moved
                for each in self.accepted.get((source.event.number, index), ())
            )
            or (letter and (source.event.number, index) in self.refused)
            for index in range(len(outcome.calls))
        )

    def letters_of(self, source: Source) -> list[DeadLetter]:
        """The dead letters of a record."""
        topic, partition = source.partition
        return self.dead_letters.get((topic, str(partition), str(source.offset)), [])

    def order_key(self, call: Sent) -> tuple[Any, ...] | None:
        """Calls with the same one are sent in order; None for a call of no event."""
        source = self.sources.get(call.number)
        if source is None:
            return None
        return (*source.partition, source.key if source.key is not None else source.offset)

    def committed_at(self, partition: Partition, at: float) -> int:
        """What was committed at a time."""
        times, offsets = self._commits[partition]
        found = bisect_right(times, at + CLOCK_SECONDS)
        return offsets[found - 1] if found else 0

    def _done_at(self, source: Source) -> float:
        """When all was done that a commit past the record waits for; infinity if it never was."""
        outcome = source.event.outcome
        letter = min((each.at for each in self.letters_of(source)), default=math.inf)
        if not outcome.calls:
            return 0.0 if outcome.reason is None else letter
        names = [(source.event.number, index) for index in range(len(outcome.calls))]
        return max(self._call_done_at(name, letter) for name in names)

    def _call_done_at(self, name: Name, letter: float) -> float:
        accepted = self.accepted.get(name)
        first = accepted[0].at if accepted else math.inf
        return min(first, letter) if name in self.refused else first


def origin_of(letter: DeadLetter) -> Origin:
    """Where a dead letter says that its record came from."""
    names = ("topic", "partition", "offset")
    topic, partition, offset = (letter.header(f"__connect.errors.{name}") or "" for name in names)
    return topic, partition, offset


def place(source: Source) -> str:
    """A record, for people."""
    topic, partition = source.partition
    event = source.event
    return f"{topic}:{partition}:{source.offset} (event {event.number}, {event.kind}, key {source.key!r})"
