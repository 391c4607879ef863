"""A letter through today's mapping: what a replay would send of it, or why it would not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from worker.core.message_id import MessageIds
from worker.core.record_reading import read_headers
from worker.dead_letters.dead_letter import read_dead_letter
from worker.dead_letters.index import Index, State
from worker.dead_letters.selection import LeftAlone

if TYPE_CHECKING:
    from worker.core.reasons import Rejected
    from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
    from worker.dead_letters.dead_letter import DeadLetter, OriginRecord
    from worker.dead_letters.selection import Selection
    from worker.mapping.mappings import Mappings

OnSlow = Callable[[str, float], None]

MAX_CONVERTERS = 200
"""Compiled mappings that are kept: one for each source topic and each cluster that dead letters claim to come from."""


@dataclass(slots=True)
class Tally:
    """What became of the letters so far.

    Attributes:
        selected: that were handed on.
        to_deliver: of these, that become calls; `calls` is how many.
        ignored: that today's mapping ignores: resolved without a call.
        rejected: that today's mapping rejects again, by reason.
        left_alone: by why.
        resolved, superseded: that do not count any more.
    """

    selected: int = 0
    to_deliver: int = 0
    calls: int = 0
    ignored: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    left_alone: Counter[LeftAlone] = field(default_factory=Counter)
    resolved: int = 0
    superseded: int = 0


class ReplayedLetter:
    """A letter on the pipeline's road: it lies in the dead-letter topic, its calls are its origin's.

    Implements `model.Record`: topic, partition and offset are the letter's, which tracks and marks go by; the
    timestamp is the origin's, for ages.

    Attributes:
        letter: as it was read.
        origin: the record that the letter is of.
        verdict: why today's mapping rejects it; None if it does not.
    """

    __slots__ = ("_calls", "letter", "origin", "verdict")

    def __init__(
        self,
        letter: DeadLetter,
        origin: OriginRecord,
        calls: Sequence[QueuedCall] = (),
        verdict: Rejected | None = None,
    ) -> None:
        self.letter = letter
        self.origin = origin
        self.verdict = verdict
        self._calls = calls

    @property
    def is_for_the_api(self) -> bool:
        """False if today's mapping ignores it."""
        return bool(self._calls) or self.verdict is not None

    def calls(self) -> list[QueuedCall]:
        """What today's mapping makes of it, as calls of the letter: none if it ignores or rejects it."""
        key = self.key()
        order = self.offset() if key is None else key
        return [(order, body, self, index, context, rule) for _, body, _, index, context, rule in self._calls]

    def topic(self) -> str:
        """The dead-letter topic."""
        return self.letter.record.topic()

    def partition(self) -> int:
        """The letter's."""
        return self.letter.record.partition()

    def offset(self) -> int:
        """The letter's."""
        return self.letter.record.offset()

    def key(self) -> bytes | None:
        """The record's: letters of a key stay in order."""
        return self.letter.record.key()

    def value(self) -> bytes | None:
        """The record's."""
        return self.letter.record.value()

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """The letter's: a new letter takes its history over."""
        return read_headers(self.letter.record)

    def timestamp(self) -> tuple[int, int]:
        """The record's own."""
        return self.origin.timestamp()


class Admission:
    """Decides letter by letter, in the order of the topic.

    Args:
        index: which letters still wait.
        selection: which are wanted.
        mappings: today's.
        cluster_id: of the cluster that the dead-letter topic is in.
        on_slow: told of a mapper that took over a second.

    Attributes:
        tally: what was decided so far.
    """

    def __init__(
        self,
        index: Index,
        selection: Selection,
        mappings: Mappings,
        cluster_id: str,
        on_slow: OnSlow | None = None,
    ) -> None:
        self._index = index
        self._selection = selection
        self._mappings = mappings
        self._cluster_id = cluster_id
        self._on_slow = on_slow
        self._converters: dict[tuple[str, str], Converter | None] = {}
        self._ids: dict[str, MessageIds] = {}
        self.tally = Tally()

    def is_superseded(self, record: Record) -> bool:
        """Whether a newer letter of the same record takes this one's place."""
        return self._index.state(record.partition(), record.offset()) is State.SUPERSEDED

    def admit(self, record: Record) -> ReplayedLetter | None:
        """The letter to hand on; None for marks, and for letters that are left alone."""
        letter = read_dead_letter(record, self._cluster_id)
        if letter is None or not self._still_waits(record):
            return None
        found = self._judge(letter)
        if isinstance(found, LeftAlone):
            self.tally.left_alone[found] += 1
            return None
        self._count(found)
        return found

    def _still_waits(self, record: Record) -> bool:
        state = self._index.state(record.partition(), record.offset())
        self.tally.resolved += state is State.RESOLVED
        self.tally.superseded += state is State.SUPERSEDED
        return state is State.WAITING

    def _judge(self, letter: DeadLetter) -> ReplayedLetter | LeftAlone:
        if alone := self._selection.before(letter):
            return alone
        origin = letter.origin
        assert origin is not None, "what has no origin is left alone"
        convert = self._converter(letter.cluster_id, origin.topic())
        if convert is None:
            return LeftAlone.NOT_MAPPED
        calls: list[QueuedCall] = []
        rejected: list[RejectedRecord] = []
        convert([origin], calls, rejected)
        for _, verdict in rejected:
            return ReplayedLetter(letter, origin, verdict=verdict)
        decoded = (orjson.loads(body[:-1]) for _, body, *_ in calls)  # without the comma
        return self._selection.after(letter, decoded) or ReplayedLetter(letter, origin, calls)

    def _converter(self, cluster_id: str, topic: str) -> Converter | None:
        source = (cluster_id, topic)
        if source not in self._converters:
            if len(self._converters) >= MAX_CONVERTERS:
                self._converters.clear()
                self._ids.clear()
            ids = self._ids_of(cluster_id)
            self._converters[source] = self._mappings.converter(topic, ids, self._on_slow)
        return self._converters[source]

    def _ids_of(self, cluster_id: str) -> MessageIds:
        return self._ids.setdefault(cluster_id, MessageIds(cluster_id))

    def _count(self, admitted: ReplayedLetter) -> None:
        tally = self.tally
        tally.selected += 1
        if admitted.verdict is not None:
            tally.rejected[admitted.verdict.reason] += 1
            return
        calls = admitted.calls()
        tally.to_deliver += bool(calls)
        tally.ignored += not calls
        tally.calls += len(calls)
