"""What a replay sends for a dead letter under the current mapping, or why it leaves it alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from worker.core.message_id import MessageIds
from worker.core.record_reading import read_headers
from worker.dead_letters.consequences import Consequences
from worker.dead_letters.dead_letter import read_dead_letter
from worker.dead_letters.index import Index, State
from worker.dead_letters.selection import LeftAlone
from worker.dead_letters.values import Values

if TYPE_CHECKING:
    from worker.core.reasons import Rejected
    from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
    from worker.customerio.advice import Remark
    from worker.customerio.notices import OnNotice
    from worker.dead_letters.dead_letter import DeadLetter, OriginRecord
    from worker.dead_letters.selection import Selection
    from worker.mapping.mappings import Mappings

OnSlow = Callable[[str, float], None]

MAX_CONVERTERS = 200
"""Converters kept in memory, one for each pair of source topic and cluster. Headers name both, and anyone may
write to the topic, so the number is bounded; no real dead-letter topic collects from more than this many."""


@dataclass(slots=True)
class Tally:
    """Counts of the dead letters read so far.

    Attributes:
        selected: passed to the pipeline.
        to_deliver: of these, how many become calls; `calls` is the number of calls.
        ignored: of these, how many the current mapping ignores; they are resolved without a call.
        rejected: of these, how many the current mapping rejects again, by reason.
        left_alone: not replayed, by the reason why.
        remarks: for each remark about calls that are sent, how many of them and of how many people (or groups). Those
            about later records are complete only after a dry run, which looks at the source topics.
        unread: the source topics that a dry run could not read, or only the newest records of, with the reason.
        values: what the waiting dead letters have, for warnings about filters.
    """

    selected: int = 0
    to_deliver: int = 0
    calls: int = 0
    ignored: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    left_alone: Counter[LeftAlone] = field(default_factory=Counter)
    remarks: dict[Remark, tuple[int, int]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    values: Values = field(default_factory=Values)


class ReplayedDeadLetter:
    """A dead letter as the pipeline's record: its position is its own, its calls are those of its source record.

    Implements `records.Record`. Topic, partition and offset are those of the dead letter, because offset tracking and
    marks refer to the dead-letter topic; the timestamp is that of the source record, for freshness.

    Attributes:
        letter: the dead letter.
        origin: its source record.
        rejection: why the current mapping rejects it; None if it does not.
    """

    __slots__ = ("_calls", "letter", "origin", "rejection")

    def __init__(
        self,
        letter: DeadLetter,
        origin: OriginRecord,
        calls: Sequence[QueuedCall] = (),
        rejection: Rejected | None = None,
    ) -> None:
        self.letter = letter
        self.origin = origin
        self.rejection = rejection
        self._calls = calls

    @property
    def is_for_the_api(self) -> bool:
        """False if the current mapping ignores it."""
        return bool(self._calls) or self.rejection is not None

    def calls(self) -> list[QueuedCall]:
        """The calls that the current mapping makes of it; none if the mapping ignores or rejects it.

        They name this record instead of the source record, so that offsets are those of the dead-letter topic.
        """
        key = self.key()
        order = self.offset() if key is None else key
        return [(order, body, self, index, context, rule) for _, body, _, index, context, rule in self._calls]

    def topic(self) -> str:
        """The dead-letter topic."""
        return self.letter.record.topic()

    def partition(self) -> int:
        """The partition in the dead-letter topic."""
        return self.letter.record.partition()

    def offset(self) -> int:
        """The offset in the dead-letter topic."""
        return self.letter.record.offset()

    def key(self) -> bytes | None:
        """The source record's key, so that dead letters with the same key stay in order."""
        return self.letter.record.key()

    def value(self) -> bytes | None:
        """The source record's value."""
        return self.letter.record.value()

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """The dead letter's headers: if it fails again, its new dead letter inherits the history in them."""
        return read_headers(self.letter.record)

    def timestamp(self) -> tuple[int, int]:
        """The source record's timestamp."""
        return self.origin.timestamp()


class Forecast:
    """Decides which dead letters a replay sends, one at a time, in the order of the topic.

    Args:
        index: which dead letters still wait.
        selection: which of them to replay.
        mappings: the current mappings.
        cluster_id: the cluster of the dead-letter topic.
        on_slow: called with a mapper's name and seconds if it took over a second.
        on_notice: called for what is sent although it may not have the effect that was meant.

    Attributes:
        tally: the decisions so far.
        consequences: what the calls of the selected dead letters do at Customer.io.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        index: Index,
        selection: Selection,
        mappings: Mappings,
        cluster_id: str,
        *,
        on_slow: OnSlow | None = None,
        on_notice: OnNotice | None = None,
    ) -> None:
        self._index = index
        self._selection = selection
        self._mappings = mappings
        self._cluster_id = cluster_id
        self._on_slow = on_slow
        self._on_notice = on_notice
        self._converters: dict[tuple[str, str], Converter | None] = {}
        self._ids: dict[str, MessageIds] = {}
        self.tally = Tally()
        self.consequences = Consequences(selection.now, selection.stale_after)

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached: whatever else waits is left alone."""
        limit = self._selection.limit
        return limit is not None and self.tally.selected >= limit

    def is_replaced(self, record: Record) -> bool:
        """Whether the same source record has a newer dead letter, and no mark names this one yet."""
        place = record.partition(), record.offset()
        return self._index.state(*place) is State.REPLACED and not self._index.is_marked(*place)

    def select(self, record: Record) -> ReplayedDeadLetter | None:
        """The dead letter to replay; None for marks, and for dead letters that are left alone."""
        letter = read_dead_letter(record, self._cluster_id)
        if letter is None or not self._is_waiting(record):
            return None
        self.tally.values.count(letter)
        selected = self._map(letter)
        if isinstance(selected, LeftAlone):
            self.tally.left_alone[selected] += 1
            return None
        self._count(selected)
        return selected

    def _is_waiting(self, record: Record) -> bool:
        return self._index.state(record.partition(), record.offset()) is State.WAITING

    def _map(self, letter: DeadLetter) -> ReplayedDeadLetter | LeftAlone:
        # Checks of the headers come first: most dead letters are filtered out without running the mapping.
        if left_alone := self._selection.before(letter):
            return left_alone
        origin = letter.origin
        assert origin is not None, "`Selection.before` leaves dead letters without an origin alone"
        convert = self._converter(letter.cluster_id, origin.topic())
        if convert is None:
            return LeftAlone.NOT_MAPPED
        calls: list[QueuedCall] = []
        rejected: list[RejectedRecord] = []
        self._mappings.prepare(origin.topic(), [origin])
        convert([origin], calls, rejected)
        if rejected and not self.is_full:
            return ReplayedDeadLetter(letter, origin, rejection=rejected[0][1])
        decoded = [orjson.loads(body[:-1]) for _, body, *_ in calls]  # a queued call's body ends with a comma
        if left_alone := self._selection.after(letter, decoded):
            return left_alone
        if self.is_full:
            return LeftAlone.OVER_LIMIT
        self.consequences.add(origin, decoded)
        return ReplayedDeadLetter(letter, origin, calls)

    def _converter(self, cluster_id: str, topic: str) -> Converter | None:
        source = (cluster_id, topic)
        if source not in self._converters:
            if len(self._converters) >= MAX_CONVERTERS:
                self._converters.clear()
                self._ids.clear()
            ids = self._ids_of(cluster_id)
            self._converters[source] = self._mappings.converter(
                topic, ids, self._on_slow, on_notice=self._on_notice
            )
        return self._converters[source]

    def _ids_of(self, cluster_id: str) -> MessageIds:
        return self._ids.setdefault(cluster_id, MessageIds(cluster_id))

    def _count(self, selected: ReplayedDeadLetter) -> None:
        tally = self.tally
        tally.selected += 1
        if selected.rejection is not None:
            tally.rejected[selected.rejection.reason] += 1
            return
        calls = selected.calls()
        tally.to_deliver += bool(calls)
        tally.ignored += not calls
        tally.calls += len(calls)
