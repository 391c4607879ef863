"""Where the unfinished calls of each key of a partition are, and what is blocked behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from worker.core.records import CONTEXT, KEY, OrderKey, QueuedCall

BlockedCall = tuple[float, QueuedCall]
"""A call that waits until its key's lane is free, and since when."""


class KeyQueues:
    """The lanes of one assignment: a key has one for as long as it has unfinished calls.

    Attributes:
        lanes: for each key with unfinished calls, the batch context whose queue holds them; None if a request does.
        blocked: for each key, the calls that wait until those calls are finished, in order. They are younger, so
            they need no mark of their own: the older calls already hold the commit back.
    """

    __slots__ = ("blocked", "lanes")

    def __init__(self) -> None:
        self.lanes: dict[OrderKey, bytes | None] = {}
        self.blocked: dict[OrderKey, list[BlockedCall]] = {}

    def block(self, call: QueuedCall, now: float) -> None:
        """Put a call behind those of its key."""
        blocked = self.blocked.get(call[KEY])
        if blocked is None:
            self.blocked[call[KEY]] = [(now, call)]
        else:
            blocked.append((now, call))

    def block_first(self, key: OrderKey, calls: list[BlockedCall]) -> None:
        """Block calls that are older than those already blocked behind the same key."""
        self.blocked[key] = calls + self.blocked.get(key, [])

    def take(self, calls: Iterable[QueuedCall]) -> None:
        """These calls are in a request now, which holds the lanes of their keys."""
        self.lanes.update(dict.fromkeys([call[KEY] for call in calls]))

    def free(self, keys: Iterable[OrderKey]) -> list[OrderKey]:
        """The calls that held these lanes are finished. Returns the keys that have blocked calls."""
        for key in keys:
            del self.lanes[key]
        return [key for key in keys if key in self.blocked]

    def unblock(self, key: OrderKey, limit: int) -> tuple[bytes, list[BlockedCall]]:
        """Take a free key's oldest blocked calls of one batch context, at most `limit`; its lane moves there."""
        blocked = self.blocked.pop(key)
        context = self.lanes[key] = blocked[0][1][CONTEXT]
        count = 0
        for _, call in blocked[:limit]:
            if call[CONTEXT] != context:
                break
            count += 1
        if count < len(blocked):
            self.blocked[key] = blocked[count:]
        return context, blocked[:count]

    def drop_blocked(self) -> Iterator[QueuedCall]:
        """Drop the blocked calls; yields the oldest of each key, so that the caller can hold the commit back at it."""
        for (_, oldest), *_ in self.blocked.values():
            yield oldest
        self.blocked.clear()
