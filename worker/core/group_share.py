"""A member's share of a rate limit that its whole group keeps without messages between members.

A member may send requests in proportion to the partitions that it owns. Its share grows late and shrinks at once, so
that what it has gained has been given up by everybody else one window earlier. The proof is in
docs/decisions/0013-group-rate-limit.md; the names of its durations are used here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from worker.core.records import Partition

COUNT_SECONDS = 5.0
"""A member sends only while its count of the partitions is younger than this (the decision's `F`)."""

LATE_SECONDS = 1.0
"""A request may arrive so long after the worker closed its connection: it may be in the buffers of the network, or of a
busy server. The proof assumes that none arrives later."""

ENDING_SECONDS = 0.5
"""How long requests in flight may still get their responses once nothing is sent any more; then their connections are
closed."""

AGAIN_SECONDS = 0.5
"""A share is computed again at least so often: it takes 0.4 ms for 2,000 partitions."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a member may send.

    Attributes:
        requests: of the whole group, in any window.
        owned: partitions of this member that count.
        of: partitions of all topics that the group subscribes to.
    """

    requests: int
    owned: int = 0
    of: int = 1

    @property
    def exact(self) -> float:
        """Requests in a window, before rounding down."""
        return self.requests * self.owned / self.of

    @property
    def whole(self) -> int:
        """Requests in any window; 0 if the share is below one."""
        return self.requests * self.owned // self.of

    @property
    def windows(self) -> float:
        """Windows that one request takes, where the share is below one; infinity without a share."""
        return self.of / (self.requests * self.owned) if self.owned else math.inf

    @property
    def most_in_flight(self) -> int:
        """Requests in flight that it covers: a share below one sends single requests."""
        return max(self.whole, min(1, self.owned))


class GroupShare:
    """The share of one member.

    Args:
        requests: of the whole group, in any window.
        per: seconds of a window.
        refresh: seconds within which each member counts the partitions (`topic.metadata.refresh.interval.ms`).

    Attributes:
        grew_at: when the share grew last, as far as `at` has seen.
    """

    def __init__(self, requests: int, per: float, refresh: float) -> None:
        self._per = per
        self._first_wait = COUNT_SECONDS + per
        self._wait = max(refresh, COUNT_SECONDS) + per
        self._none = Share(requests)
        self._requests = requests
        self._usable: dict[Partition, float] = {}  # owned, and when `per` has passed since the assignment
        self._settled: dict[Partition, float] = {}  # existing, and when all members know that
        self._gone: dict[Partition, float] = {}  # deleted, and when all members know that
        self._counted_at = -math.inf
        self._owned_until = -math.inf
        self._margin = 0.0
        self._known = self._none
        self._known_until = -math.inf
        self._last = self._none
        self.grew_at = -math.inf

    # What the member learns

    def assigned(self, partitions: Iterable[Partition], now: float) -> None:
        """The member owns these from now on."""
        self._usable |= dict.fromkeys(partitions, now + self._per)
        self._known_until = -math.inf

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """The member owns these no longer; they were revoked, or lost."""
        for partition in partitions:
            self._usable.pop(partition, None)
        self._known_until = -math.inf

    def counted(self, partitions: Iterable[Partition], asked_at: float, now: float) -> None:
        """These are all partitions of the topics that the group subscribes to.

        Args:
            partitions: the complete list.
            asked_at: when the brokers were asked.
            now: the list is known from now on.
        """
        seen = dict.fromkeys(partitions, math.inf)
        if asked_at - self._counted_at > COUNT_SECONDS:
            # Nothing is known of what happened since the last count, so this one is like a first.
            settled = dict.fromkeys(seen, now + self._first_wait)
        else:
            new = dict.fromkeys(seen.keys() - self._settled.keys(), now + self._wait)
            settled = {each: at for each, at in self._settled.items() if each in seen} | new
        self._gone |= dict.fromkeys(self._settled.keys() - seen.keys(), now + self._wait)
        self._settled = settled
        self._known_until = -math.inf
        self.still_counted(asked_at)

    def still_counted(self, asked_at: float) -> None:
        """The brokers were asked again, and there are the same partitions."""
        self._counted_at = max(self._counted_at, asked_at)

    def owned_until(self, then: float, margin: float) -> None:
        """No other member can own this one's partitions before `then`.

        Nothing is sent in the last `margin` seconds, and connections are closed when half of them have passed.
        """
        self._owned_until, self._margin = then, margin

    # What follows

    def at(self, now: float) -> Share:
        """What may be sent now."""
        share = self._known_at(now) if now < self.stops_at else self._none
        if share.owned * self._last.of > self._last.owned * share.of:
            self.grew_at = now
        self._last = share
        return share

    def most_in_flight(self, now: float) -> int:
        """The requests that may still be in flight; what is over must be ended."""
        return self._known_at(now).most_in_flight if now < self.ends_at else 0

    def changes_at(self, now: float) -> float:
        """When the share changes next if nothing more is learned; infinity if it does not."""
        return min(self._known_until, self.stops_at) if now < self.stops_at else math.inf

    @property
    def owns_any(self) -> bool:
        """Whether the member owns partitions, counted or not."""
        return bool(self._usable)

    @property
    def stops_at(self) -> float:
        """When sending stops if nothing more is learned."""
        return min(
            self._counted_at + COUNT_SECONDS - LATE_SECONDS - ENDING_SECONDS,
            self._owned_until - self._margin,
        )

    @property
    def ends_at(self) -> float:
        """When the connections of requests in flight are closed if nothing more is learned."""
        return min(self._counted_at + COUNT_SECONDS - LATE_SECONDS, self._owned_until - self._margin / 2)

    def _known_at(self, now: float) -> Share:
        """The share as far as partitions are concerned, computed again only when it may have changed."""
        if now >= self._known_until:
            self._gone = {
                each: at for each, at in self._gone.items() if at > now and each not in self._settled
            }
            counts_at = [self._counts_at(each, usable) for each, usable in self._usable.items()]
            owned = sum(at <= now for at in counts_at)
            self._known = Share(self._requests, owned, max(1, len(self._settled) + len(self._gone)))
            later = [at for at in (*counts_at, *self._gone.values()) if at > now]
            self._known_until = min(min(later, default=math.inf), now + AGAIN_SECONDS)
        return self._known

    def _counts_at(self, partition: Partition, usable: float) -> float:
        settled = self._settled.get(partition, math.inf)
        # It must also have been there in a count that came all but one window later.
        return max(usable, settled) if self._counted_at >= settled - self._per else math.inf


class GroupWindow:
    """A member's part in any window of its group; the same interface as `rate_limit.SlidingWindow`.

    Args:
        share: of this member.
        per: seconds of a window.
    """

    def __init__(self, share: GroupShare, per: float) -> None:
        self._share = share
        self._per = per
        self._in_flight = 0
        self._answered: deque[float] = deque()
        self._last_answer = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent; infinity if that depends on more than time."""
        while self._answered and self._answered[0] + self._per <= now:
            self._answered.popleft()
        share = self._share.at(now)
        then = self._slot_free_at(share.whole) if share.whole else self._next_single_at(share)
        return 0.0 if then <= now else min(then, self._share.changes_at(now)) - now

    def enter(self) -> None:
        """Count a request that is about to be sent; `wait` must just have returned 0."""
        self._in_flight += 1

    def leave(self, now: float) -> None:
        """Count the response of a request, or that it ended without one."""
        self._in_flight -= 1
        self._answered.append(now)
        self._last_answer = now

    def _slot_free_at(self, slots: int) -> float:
        over = self._in_flight + len(self._answered) - slots
        if over < 0:
            return -math.inf
        return self._answered[over] + self._per if over < len(self._answered) else math.inf

    def _next_single_at(self, share: Share) -> float:
        """One request in several windows: as many as it takes since the last one, or since the share grew."""
        if self._in_flight or not share.owned:
            return math.inf
        return max(self._share.grew_at, self._last_answer) + self._per * share.windows
