"""A run of calls of one partition that travel together."""

from __future__ import annotations

from collections import defaultdict

from worker.core.lanes.partition_state import PartitionState
from worker.core.records import BODY, KEY, RECORD, OrderKey, QueuedCall


class Chunk:
    """Calls of one assignment that travel together, in the order of their offsets. They are unfinished until `finish`.

    Attributes:
        state: the assignment.
        since: when the first of the calls was queued.
        calls: at least one.
        keys: of each call.
        size: their bytes, including the comma after each.
        unblocked: whether the calls were blocked before.
        checked: how many requests had been taken when the keys were last checked; -1 if never.
        share: of the keys, to which all calls belong; -1 unless the chunk was made by `by_share`.
    """

    __slots__ = ("_mark", "calls", "checked", "keys", "share", "since", "size", "state", "unblocked")

    def __init__(
        self,
        state: PartitionState,
        since: float,
        calls: list[QueuedCall],
        *,
        checked: int = -1,
        unblocked: bool = False,
    ) -> None:
        self.state = state
        self.since = since
        self.checked = checked
        self.unblocked = unblocked
        self.share = -1
        self._hold(calls)
        self._mark = state.offsets.start(calls[0][RECORD])

    def extend(self, calls: list[QueuedCall]) -> None:
        """Add younger calls."""
        self.checked = -1
        self.calls += calls
        self.keys += [call[KEY] for call in calls]
        self.size += _size(calls)

    @property
    def precedes_blocked(self) -> bool:
        """Whether the calls are older than the blocked calls of their keys, if any; otherwise they are younger.

        Where contexts are told apart, every call that is queued is older.
        """
        return self.unblocked or self.state.keys.homes is not None

    def block(self) -> bool:
        """Block the calls that must wait for older ones of their key; True if there were any."""
        keys = self.state.keys
        if self.precedes_blocked:
            if keys.sending.isdisjoint(self.keys):
                return False
            self.keep(keys.block_first(self.calls, self.since))
        else:
            if keys.are_free(self.keys):
                return False
            self.keep(keys.block_behind(self.calls, self.since))
        return True

    def keep(self, calls: list[QueuedCall]) -> None:
        """Keep only these calls, if any; the others are in other chunks, or blocked behind one that is older."""
        if not calls:
            self.finish()
        elif calls[0] is not self.calls[0]:
            self._mark.finish()
            self._mark = self.state.offsets.start(calls[0][RECORD])
        self._hold(calls)

    def divide(self, *parts: list[QueuedCall]) -> list[Chunk]:
        """The chunks that take its place."""
        chunks = [
            Chunk(self.state, self.since, part, checked=self.checked, unblocked=self.unblocked)
            for part in parts
        ]
        for chunk in chunks:
            chunk.share = self.share
        self.finish()
        return chunks

    def by_share(self, shares: int) -> list[Chunk]:
        """The chunks that take its place if all keys are divided into `shares` by their hash, the oldest call first."""
        if self.share >= 0:
            return [self]
        calls: defaultdict[int, list[QueuedCall]] = defaultdict(list)
        for call, key in zip(self.calls, self.keys, strict=True):
            calls[hash(key) % shares].append(call)
        chunks = self.divide(*calls.values())
        for share, chunk in zip(calls, chunks, strict=True):
            chunk.share = share
        return chunks

    def finish(self) -> None:
        """The calls are delivered or refused, or other chunks (or blocked calls) hold the commit back for them."""
        self._mark.finish()

    def _hold(self, calls: list[QueuedCall]) -> None:
        self.calls = calls
        self.keys: list[OrderKey] = [call[KEY] for call in calls]
        self.size = _size(calls)


def _size(calls: list[QueuedCall]) -> int:
    return sum([len(call[BODY]) for call in calls])
