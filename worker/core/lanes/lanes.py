"""The lanes of all keys: what may go into the next request, and what is blocked behind one."""

from __future__ import annotations

import heapq
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from worker.core.lanes.batch import Batch, BatchCapacity
from worker.core.lanes.chunk import Chunk
from worker.core.lanes.context_queue import CHUNK_SECONDS, ContextQueue
from worker.core.lanes.in_progress import Load
from worker.core.lanes.partition_state import PartitionState
from worker.core.records import BODY, CONTEXT, position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.core.lanes.key_queues import BlockedCall
    from worker.core.records import OrderKey, Partition, QueuedCall

MAX_STALE_ENTRIES = 1000
"""The heap of due times is rebuilt when it holds more entries than this plus two for each queue. Rebuilding takes about
0.1 ms for a thousand entries, and happens at most once in a thousand changes of a due time."""

_context = itemgetter(CONTEXT)


class Lanes:
    """The lane of each key that has unfinished calls, and what may go into the next request.

    Args:
        max_bytes: of a request's body, exact.
        max_calls: in a request.
        linger: seconds that a call may wait for others to share its request.
        max_in_flight: requests at the same time.

    Attributes:
        partitions: the assignments.
        in_progress: the sum over them.
        queues: those that hold calls, by their batch context.
    """

    def __init__(self, *, max_bytes: int, max_calls: int, linger: float, max_in_flight: int) -> None:
        self._max_bytes = max_bytes
        self._max_calls = max_calls
        self._linger = linger
        self._max_in_flight = max_in_flight
        # Times at which queues are due. An entry is outdated once its queue's `due` differs from it.
        self._due: list[tuple[float, int, ContextQueue]] = []
        self._pushed = 0
        self._taken = 0
        self.partitions: dict[Partition, PartitionState] = {}
        self.in_progress = Load()
        self.queues: dict[bytes, ContextQueue] = {}

    # Assignments

    def assign(self, partition: Partition, next_offset: int, committed: int | None = None) -> PartitionState:
        """Begin an assignment whose first record is at `next_offset` or later."""
        if partition in self.partitions:
            self.partitions[partition].in_progress.leave()
        state = PartitionState(partition, next_offset, committed, self.in_progress)
        self.partitions[partition] = state
        return state

    def revoke(self, state: PartitionState) -> None:
        """Send nothing more of a partition that another member is about to get; it still holds its commit back."""
        if state.revoked:
            return
        state.revoke()
        for context in state.keys.contexts:
            queue = self._queue(context)
            queue.reset(chunk for chunk in queue.chunks if chunk.state is not state)
            self._set_due(queue)

    def forget(self, state: PartitionState) -> None:
        """End an assignment. Requests that finish later change only its old state."""
        self.revoke(state)
        if self.partitions.get(state.partition) is state:
            del self.partitions[state.partition]
            state.in_progress.leave()

    # In

    def add(self, state: PartitionState, calls: list[QueuedCall], now: float, *, late: bool = False) -> int:
        """Queue calls of one partition, in the order of their records; returns their bytes.

        Args:
            state: the assignment.
            calls: the calls.
            now: the time.
            late: whether calls of younger records, with other keys, were queued before.
        """
        if len({call[CONTEXT] for call in calls}) == 1:
            return self._add_of_one_context(state, calls, now, late)
        groups = groupby(calls, _context)
        return sum(self._add_of_one_context(state, list(group), now, late) for _, group in groups)

    def _add_of_one_context(
        self,
        state: PartitionState,
        calls: list[QueuedCall],
        now: float,
        late: bool,  # noqa: FBT001 - hot path
    ) -> int:
        """Queue calls. On the hot path: their keys are looked at when a request is about to take them."""
        context, keys = calls[0][CONTEXT], state.keys
        if keys.homes is None and context != keys.context:
            self._tell_contexts_apart(state, context)
        queue = self._queue(context)
        blocked_size = 0
        if keys.homes is not None:
            size = sum([len(call[BODY]) for call in calls])
            calls = keys.move_in(calls, context, now)
            blocked_size = size - sum([len(call[BODY]) for call in calls])
        size = queue.append(state, calls, now, late=late) if calls else 0
        self._set_due(queue)
        return size + blocked_size

    def _tell_contexts_apart(self, state: PartitionState, context: bytes) -> None:
        """From the second batch context on, know for each queued key in whose queue it is."""
        keys = state.keys
        if keys.context is None:
            keys.context = context
            return
        queue = self._queue(keys.context)
        queue.settle(self._taken)
        keys.homes = {
            key: keys.context for chunk in queue.chunks if chunk.state is state for key in chunk.keys
        }
        self._set_due(queue)

    # Out

    def take(self, now: float, *, draining: bool = False) -> Batch | None:
        """The calls of the next request; None if no queue is due.

        A queue is due if it fills a request, or if its oldest call has lingered. When `draining`, every queue is due.
        """
        while (queue := self._first_due()) is not None and (draining or _due(queue) <= now):
            # Without those that have to wait, its calls may not fill a request any more.
            if queue.settle(self._taken, self._max_calls, self._max_bytes):
                self._set_due(queue)
                continue
            why = "full" if self._is_full(queue) else "linger" if _due(queue) <= now else "drain"
            batch = self._fill(queue, why)
            self._taken += 1
            for chunk in batch.chunks:
                chunk.state.keys.send(chunk.keys)
            queue.settle_preceding(self._taken)
            self._set_due(queue)
            return batch
        return None

    def next_due(self) -> float | None:
        """When the first queue is due; None if no calls are queued."""
        queue = self._first_due()
        return None if queue is None else queue.due

    def finish(self, batch: Batch) -> None:
        """Each call in `batch` is delivered or refused, or its partition is revoked: free the lanes of its keys."""
        for chunk in batch.chunks:
            chunk.finish()
        if not batch.frees:
            return
        finished: dict[PartitionState, list[OrderKey]] = {}
        for chunk in batch.chunks:
            finished.setdefault(chunk.state, []).extend(chunk.keys)
        for state, keys in finished.items():
            if unblocked := state.keys.free(keys):
                self._unblock(state, unblocked)

    def without_revoked(self, batch: Batch) -> Batch:
        """`batch` without the calls of revoked partitions.

        They stay unfinished: that holds their partition's last commit back.
        """
        kept = [chunk for chunk in batch.chunks if not chunk.state.revoked]
        if len(kept) == len(batch.chunks):
            return batch
        return Batch(batch.context, batch.why, kept, batch.lane, frees=batch.frees)

    def is_idle(self) -> bool:
        """Whether nothing is queued or in flight."""
        return all(state.offsets.oldest_unfinished() is None for state in self.partitions.values())

    def _queue(self, context: bytes) -> ContextQueue:
        queue = self.queues.get(context)
        if queue is None:
            queue = self.queues[context] = ContextQueue(context)
        return queue

    def _fill(self, queue: ContextQueue, why: str) -> Batch:
        """As many calls from a queue's head as a request may carry."""
        calls = self._calls_to_share(queue)
        if calls:
            queue.bring_share_forward(self._max_in_flight, calls)
        capacity = BatchCapacity(queue.context, queue.chunks[0].calls[0], self._max_bytes, self._max_calls)
        batch = Batch(capacity.context, why)
        while queue.chunks and not capacity.full:
            if not queue.settle(self._taken, calls=1) and (fitting := capacity.take(queue.chunks[0])):
                batch.chunks.append(queue.pop(fitting))
        if capacity.full:
            batch.why = "full"
        if calls:
            queue.reset(queue.chunks)
        return batch

    def _calls_to_share(self, queue: ContextQueue) -> int:
        """How many calls at the front of a queue to order by shares of their keys before a request takes the first.

        A request blocks the rest of its keys' calls. If few keys have a backlog, the first request would hold calls
        of every key, and no other request could carry anything. So where several requests' worth of calls is queued,
        each gets *all* the calls of its share of the keys, and they travel in parallel.

        With many keys that is unnecessary, because two requests rarely hold calls of the same key. There are enough
        keys if they are at least twice as many as the calls of all requests in flight. They are not counted, but
        estimated from the keys that occur more than once among the *n* calls of the next request: of *k* equally
        frequent keys, about n² / 2k do, and a few very frequent ones hardly change that number.
        """
        requests = max(queue.calls // self._max_calls, queue.size // self._max_bytes)
        if requests <= 1 or self._max_in_flight == 1:
            return 0
        calls = queue.calls // requests
        if 4 * self._max_in_flight * queue.repeated_keys(calls) <= calls:
            return 0
        return min(requests, self._max_in_flight) * calls

    def _unblock(self, state: PartitionState, keys: Sequence[OrderKey]) -> None:
        """Queue what was blocked behind finished calls, of each key up to the next batch context."""
        # More than about two requests' worth would only be blocked again by the request that takes the first of it.
        limit = max(1, 2 * self._max_calls // len(keys))
        # Calls of about the same age become one chunk: a chunk is as old as its first call.
        groups: dict[tuple[bytes, int], list[BlockedCall]] = {}
        for key in keys:
            context, unblocked = state.keys.unblock(key, limit)
            for each in unblocked:
                groups.setdefault((context, int(each[0] / CHUNK_SECONDS)), []).append(each)
        for (context, _), group in groups.items():
            since = min(since for since, _ in group)
            queue = self._queue(context)
            calls = sorted([call for _, call in group], key=position)
            queue.insert(Chunk(state, since, calls, checked=self._taken, unblocked=True))
            self._set_due(queue)

    # Due

    def _is_full(self, queue: ContextQueue) -> bool:
        return queue.size >= self._max_bytes or queue.calls >= self._max_calls

    def _set_due(self, queue: ContextQueue) -> None:
        """A queue is due when its oldest call has lingered, or at once if it fills a request: the oldest first."""
        if not queue.chunks:
            queue.due = None
            self.queues.pop(queue.context, None)
            return
        since = queue.chunks[0].since
        due = since if self._is_full(queue) else since + self._linger
        if due != queue.due:
            queue.due = due
            self._pushed += 1
            heapq.heappush(self._due, (due, self._pushed, queue))
            if len(self._due) > MAX_STALE_ENTRIES + 2 * len(self.queues):
                self._due = [entry for entry in self._due if entry[2].due == entry[0]]
                heapq.heapify(self._due)

    def _first_due(self) -> ContextQueue | None:
        while self._due:
            due, _, queue = self._due[0]
            if queue.due == due:
                return queue
            heapq.heappop(self._due)
        return None


def _due(queue: ContextQueue) -> float:
    assert queue.due is not None
    return queue.due
