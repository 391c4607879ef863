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

        self._done = self._prefixes(known=False)
        self._known = self._prefixes(known=True)

    def last_done(self, partition: Partition, offset: int) -> tuple[float, Source] | None:
        """When the last record below an offset was done, and which; infinity if it never was."""
        below = self._done[partition][:offset]
        return below[-1] if below else None

    def _prefixes(self, *, known: bool) -> dict[Partition, list[tuple[float, Source]]]:
        """For each offset, the record at or below it that was done last, and when."""
        prefixes: dict[Partition, list[tuple[float, Source]]] = defaultdict(list)
        for source in sorted(self.history.sources, key=lambda each: (each.partition, each.offset)):
            below = prefixes[source.partition]
            mine = (self._done_at(source, known=known), source)
            below.append(max(below[-1], mine, key=lambda each: each[0]) if below else mine)
        return prefixes

    def may_come_again(self, source: Source, first: float, again: float) -> bool:
        """Whether the calls or the dead letter of a record may come a second time without a lost response.

        After a kill, a stop or a loss they may. After an orderly move of the partition only if its owner did not know
        of this record or one below that it was done: the offset that was committed is then at or below this record.
        """
        below = self._known[source.partition][: source.offset + 1]
        moves = [each.at for each in self.history.moves if source.partition in each.partitions]
        moved = bool(below) and any(first - 1 <= at <= again and below[-1][0] > at for at in moves)
        return moved or self.history.disrupted(first, again)

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

    def _done_at(self, source: Source, *, known: bool) -> float:
        """When all was done that a commit past the record waits for; infinity if it never was.

        Args:
            source: the record.
            known: count calls only from the response on that says so. The good calls of a refused batch may be
                accepted without one.
        """
        outcome = source.event.outcome
        letter = min((each.at for each in self.letters_of(source)), default=math.inf)
        if not outcome.calls:
            return 0.0 if outcome.reason is None else letter
        names = [(source.event.number, index) for index in range(len(outcome.calls))]
        return max(self._call_done_at(name, letter, known=known) for name in names)

    def _call_done_at(self, name: Name, letter: float, *, known: bool) -> float:
        accepted = self.accepted.get(name, ())
        times = [each.at for each in accepted if not known or each.request.is_answered]
        first = min(times, default=math.inf)
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
