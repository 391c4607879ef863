"""Where the unfinished calls of each key of a partition are, and what is blocked behind them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence

from worker.core.records import CONTEXT, KEY, OrderKey, QueuedCall, position

BlockedCall = tuple[float, QueuedCall]
"""A call that waits until the older calls of its key are finished, and since when."""


class KeyQueues:
    """The keys of one assignment that have unfinished calls.

    All unfinished calls of a key are in one place, either in the queue of a batch context or in a request; younger ones
    are blocked behind them. As long as all calls of the partition have the same context, there is only one queue to be
    in, so only the keys in requests are known here, and a queued call costs nothing.

    Attributes:
        sending: the keys that have calls in a request.
        blocked: for each key, the calls that wait until those calls are finished, in order. They are younger, so
            they need no mark of their own: the older calls already hold the commit back.
        homes: for each key with queued calls, the batch context whose queue holds them; None as long as all calls of
            the partition have had the same context.
        context: that context; None before the first call.
    """

    __slots__ = ("blocked", "context", "homes", "sending")

    def __init__(self) -> None:
        self.sending: set[OrderKey] = set()
        self.blocked: dict[OrderKey, list[BlockedCall]] = {}
        self.homes: dict[OrderKey, bytes] | None = None
        self.context: bytes | None = None

    @property
    def contexts(self) -> Iterable[bytes]:
        """The batch contexts whose queues may hold calls of the partition, each once."""
        if self.homes is not None:
            return dict.fromkeys(self.homes.values())
        return () if self.context is None else (self.context,)

    def are_free(self, keys: Sequence[OrderKey]) -> bool:
        """Whether none of these keys is in a request or has blocked calls. On the hot path: two loops in C."""
        return self.sending.isdisjoint(keys) and (not self.blocked or self.blocked.keys().isdisjoint(keys))

    def block_behind(self, calls: Iterable[QueuedCall], since: float) -> list[QueuedCall]:
        """Block the calls whose key is in a request or has blocked calls, which must be older. Returns the others."""
        sending, blocked = self.sending, self.blocked
        free = []
        for call in calls:
            key = call[KEY]
            if key in blocked:
                blocked[key].append((since, call))
            elif key in sending:
                blocked[key] = [(since, call)]
            else:
                free.append(call)
        return free

    def block_first(self, calls: Iterable[QueuedCall], since: float) -> list[QueuedCall]:
        """Block the calls whose key is in a request, before younger ones of the same key. Returns the others."""
        free = []
        for call in calls:
            if call[KEY] in self.sending:
                blocked = self.blocked.setdefault(call[KEY], [])
                insort(blocked, (since, call), key=lambda each: position(each[1]))
            else:
                free.append(call)
        return free

    def move_in(self, calls: Iterable[QueuedCall], context: bytes, since: float) -> list[QueuedCall]:
        """With several contexts: queue new calls in this one unless older calls of their key are elsewhere.

        Returns:
            Those to queue; the others are blocked.
        """
        assert self.homes is not None
        free = []
        for call in self.block_behind(calls, since):
            if self.homes.setdefault(call[KEY], context) == context:
                free.append(call)
            else:
                self.blocked.setdefault(call[KEY], []).append((since, call))
        return free

    def send(self, keys: Iterable[OrderKey]) -> None:
        """Calls of these keys are in a request now."""
        self.sending.update(keys)
        if self.homes is not None:
            for key in keys:
                self.homes.pop(key, None)

    def free(self, keys: Sequence[OrderKey]) -> list[OrderKey]:
        """The calls of these keys that were in a request are finished. Returns the keys that have blocked calls."""
        self.sending.difference_update(keys)
        if not self.blocked or self.blocked.keys().isdisjoint(keys):
            return []
        return [key for key in dict.fromkeys(keys) if key in self.blocked]  # each once, in order

    def unblock(self, key: OrderKey, limit: int) -> tuple[bytes, list[BlockedCall]]:
        """Take a free key's oldest blocked calls of one batch context, at most `limit`, to be queued there."""
        blocked = self.blocked.pop(key)
        context = blocked[0][1][CONTEXT]
        count = 0
        for _, call in blocked[:limit]:
            if call[CONTEXT] != context:
                break
            count += 1
        if count < len(blocked):
            self.blocked[key] = blocked[count:]
        if self.homes is not None:
            self.homes[key] = context
        return context, blocked[:count]

    def drop_blocked(self) -> Iterator[QueuedCall]:
        """Drop the blocked calls; yields the oldest of each key, so that the caller can hold the commit back at it."""
        for (_, oldest), *_ in self.blocked.values():
            yield oldest
        self.blocked.clear()
