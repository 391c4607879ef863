"""Calls of one batch context that may go into a request now."""

from __future__ import annotations

import math
from bisect import insort_left
from collections import Counter, deque
from operator import attrgetter
from typing import TYPE_CHECKING

from worker.core.lanes.chunk import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.core.lanes.partition_state import PartitionState
    from worker.core.records import OrderKey, QueuedCall

CHUNK_CALLS = 256
"""The number of records in a slice (`SLICE` in `worker/pipeline/intake.py`). With one call for each record, a chunk of
a busy partition holds one slice."""

CHUNK_SECONDS = 0.05
"""The chunk at the end grows while it is shorter than `CHUNK_CALLS` and younger than this. All its calls count as old
as its first one, so this is how much too early a call may be due: a tenth of the default linger."""

_since = attrgetter("since")


class ContextQueue:
    """Calls that may go into a request together, because they share a batch context.

    The keys of some may be in a request, or have blocked calls: `settle` blocks these calls behind them.

    Attributes:
        context: see `records.EncodedCall`.
        chunks: the oldest first.
        calls, size: sums over the chunks.
        due: when a request should leave with them; None while there are none.
    """

    __slots__ = ("_newest", "calls", "chunks", "context", "due", "size")

    def __init__(self, context: bytes) -> None:
        self.context = context
        self.chunks: deque[Chunk] = deque()
        self.calls = 0
        self.size = 0
        self.due: float | None = None
        self._newest: Chunk | None = None

    def append(
        self, state: PartitionState, calls: list[QueuedCall], now: float, *, late: bool = False
    ) -> int:
        """Add newly queued calls; returns their bytes.

        Args:
            state: the assignment.
            calls: in the order of their records.
            now: the time.
            late: whether younger records were queued before: then the calls are a chunk of their own, because a chunk
                holds the commit back only at its first record.
        """
        before = self.size
        last = self.chunks[-1] if self.chunks else None
        # Only the newest: if later calls were blocked since, what is added here would count as older than they, and be
        # sent before they are.
        newest = last is self._newest
        if last is not None and newest and not late and last.state is state and _may_grow(last, now):
            self.size -= last.size
            last.extend(calls)
        else:
            last = self._newest = Chunk(state, now, calls)
            self.chunks.append(last)
        self.calls += len(calls)
        self.size += last.size
        return self.size - before

    def insert(self, chunk: Chunk) -> None:
        """Insert a chunk of calls that were blocked by its age: before all that are not older."""
        if self.chunks and self.chunks[0].since < chunk.since:
            insort_left(self.chunks, chunk, key=_since)
        else:
            self.chunks.appendleft(chunk)
        self.calls += len(chunk.calls)
        self.size += chunk.size

    def settle(self, taken: int, calls: float = math.inf, size: float = math.inf) -> bool:
        """Block the calls that must wait for older ones of their key, among so many calls or bytes at the front.

        Args:
            taken: how many requests have been taken: chunks that were checked since the last are left out.
            calls: how many calls to leave at the front that need not wait.
            size: how many bytes of such calls.

        Returns:
            Whether there were any.
        """
        any_blocked = False
        for chunk in self.chunks:
            if calls <= 0 or size <= 0:
                break
            any_blocked |= self._settle(chunk, taken)
            calls -= len(chunk.calls)
            size -= chunk.size
        if any_blocked:
            self._drop_empty()
        return any_blocked

    def settle_preceding(self, taken: int) -> None:
        """Block the calls that must wait for the request just taken, if younger ones of their key are blocked already.

        Those would be unblocked when the request finishes, and overtake them.
        """
        if [chunk for chunk in self.chunks if chunk.precedes_blocked and self._settle(chunk, taken)]:
            self._drop_empty()

    def _drop_empty(self) -> None:
        self.chunks = deque(chunk for chunk in self.chunks if chunk.calls)

    def _settle(self, chunk: Chunk, taken: int) -> bool:
        if chunk.checked == taken:
            return False
        chunk.checked = taken
        calls, size = len(chunk.calls), chunk.size
        if not chunk.block():
            return False
        self.calls -= calls - len(chunk.calls)
        self.size -= size - chunk.size
        return True

    def pop(self, calls: int) -> Chunk:
        """Take this many calls from the first chunk."""
        chunk = self.chunks[0]
        if calls == len(chunk.calls):
            self.chunks.popleft()
        else:
            chunk, self.chunks[0] = chunk.divide(chunk.calls[:calls], chunk.calls[calls:])
        self.calls -= len(chunk.calls)
        self.size -= chunk.size
        return chunk

    def repeated_keys(self, calls: int) -> int:
        """How many keys occur more than once among about so many calls at the front."""
        keys: dict[PartitionState, list[OrderKey]] = {}
        for chunk in self.chunks:
            keys.setdefault(chunk.state, []).extend(chunk.keys)
            calls -= len(chunk.keys)
            if calls <= 0:
                break
        return sum(
            sum(times > 1 for times in Counter(each).values())
            for each in keys.values()
            if len(set(each)) < len(each)
        )

    def bring_share_forward(self, shares: int, calls: int) -> None:
        """Divide all keys into `shares`, and order about so many calls by share; that of the first call comes first.

        Until `reset`, the chunks are not in the order of their age, but the calls of each key still are.

        Args:
            shares: always the same number, because chunks are divided only once.
            calls: how many.
        """
        ordered: list[Chunk] = []
        while self.chunks and calls > 0:
            calls -= len(self.chunks[0].calls)
            ordered += self.chunks.popleft().by_share(shares)
        first = ordered[0].share
        ordered.sort(key=lambda chunk: (chunk.share - first) % shares)
        self.chunks.extendleft(reversed(ordered))

    def reset(self, chunks: Iterable[Chunk]) -> None:
        """Hold these chunks, by their age, and nothing else."""
        self.chunks = deque(sorted(chunks, key=_since))
        self.calls = sum(len(chunk.calls) for chunk in self.chunks)
        self.size = sum(chunk.size for chunk in self.chunks)


def _may_grow(chunk: Chunk, now: float) -> bool:
    return (
        not chunk.unblocked
        and chunk.share < 0
        and len(chunk.calls) < CHUNK_CALLS
        and now - chunk.since <= CHUNK_SECONDS
    )
