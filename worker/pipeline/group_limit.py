"""The rate limit of one process, or this member's part of the one that its group keeps (`rate_limit.scope`)."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Protocol

from worker.core.group_share import LATE_SECONDS, GroupShare, GroupWindow
from worker.core.rate_limit import SlidingWindow
from worker.pipeline.ports import CommitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.core.records import Partition
    from worker.pipeline.ports import Source, Standing
    from worker.settings import Settings

TICK_SECONDS = 0.25
"""How often the member's share is computed while nothing is sent."""

CONFIRM, STOP, LOSE = 1 / 6, 1 / 3, 2 / 3
"""The parts of a session after which, without contact with the group, a member has its ownership confirmed, sends
nothing any more, and may have lost its partitions (which is what `Source.standing` says).

Halfway between the last two the connections of requests in flight are closed. With 6 s, the shortest session that
brokers allow by default, that is one second before others may own the partitions: `LATE_SECONDS`."""

RETRY_SECONDS = 0.5
"""The delay between two attempts to have ownership confirmed."""


class Limit(Protocol):
    """Decides when requests may be sent."""

    late_seconds: float
    """Seconds after which nothing arrives of a request whose connection was closed here: it is in flight so long."""

    @property
    def requests(self) -> float:
        """How many requests may be sent in any window, as far as is known now."""
        ...

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent; infinity if that depends on more than time."""
        ...

    def enter(self) -> None:
        """A request is about to be sent; `wait` has just returned 0."""

    def leave(self, now: float) -> None:
        """A request has its response, or ended without one."""

    def most_in_flight(self, now: float) -> float:
        """How many requests may still be in flight; the rest must be ended."""
        ...

    def is_over(self, now: float) -> bool:
        """Whether nothing may be in flight because others may own the partitions soon."""
        ...

    def assigned(self, partitions: Iterable[Partition], now: float) -> None:
        """The member owns these from now on."""

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """The member does not own these any more."""

    def problem(self) -> str | None:
        """Why nothing may be sent, apart from time."""
        ...

    async def run(self, changed: Callable[[], None]) -> None:
        """Keep up with the group; calls `changed` when requests may have to be sent or ended."""


def make_limit(settings: Settings, source: Source) -> Limit:
    """The limit that the settings ask for."""
    limit = settings.rate_limit
    if limit.scope == "process":
        return ProcessLimit(limit.requests, limit.per)
    return GroupLimit(
        GroupShare(limit.requests, limit.per, settings.kafka.metadata_refresh), limit.per, source
    )


class ProcessLimit(SlidingWindow):
    """The whole limit is this process's own."""

    def __init__(self, requests: int, per: float) -> None:
        super().__init__(requests, per)
        self.requests: float = requests
        self.late_seconds = 0.0

    def most_in_flight(self, now: float) -> float:  # noqa: ARG002 - it never changes
        """See `Limit`."""
        return math.inf

    def is_over(self, now: float) -> bool:  # noqa: ARG002 - it never is
        """See `Limit`."""
        return False

    def assigned(self, partitions: Iterable[Partition], now: float) -> None:
        """See `Limit`."""

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """See `Limit`."""

    def problem(self) -> str | None:
        """See `Limit`."""
        return None

    async def run(self, changed: Callable[[], None]) -> None:  # noqa: ARG002 - it never changes
        """See `Limit`."""
        await asyncio.Event().wait()


class GroupLimit(GroupWindow):
    """The part of the group's limit that this member may spend.

    Args:
        share: computes it.
        per: seconds of a window.
        source: says what is known of the group, and has ownership confirmed.
    """

    def __init__(self, share: GroupShare, per: float, source: Source) -> None:
        super().__init__(share, per)
        self._law = share
        self._source = source
        self._standing: Standing | None = None
        self.late_seconds = LATE_SECONDS

    @property
    def requests(self) -> float:
        """See `Limit`."""
        return self._law.at(_now()).exact

    def wait(self, now: float) -> float:
        """See `Limit`."""
        self._update(now)
        return super().wait(now)

    def most_in_flight(self, now: float) -> float:
        """See `Limit`."""
        return self._law.most_in_flight(now)

    def is_over(self, now: float) -> bool:
        """See `Limit`."""
        return now >= self._law.ends_at

    def assigned(self, partitions: Iterable[Partition], now: float) -> None:
        """See `Limit`."""
        self._law.assigned(partitions, now)

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """See `Limit`."""
        self._law.revoked(partitions)

    def problem(self) -> str | None:
        """See `Limit`. Without partitions there is nothing to send."""
        if not self._law.owns_any or self._law.stops_at > _now():
            return None
        return (
            "rate_limit.scope is group: nothing is sent until Kafka has confirmed the partitions, "
            "and those of all topics are counted"
        )

    async def run(self, changed: Callable[[], None]) -> None:
        """See `Limit`."""
        await asyncio.gather(self._keep_up(changed), self._keep_confirmed())

    async def _keep_up(self, changed: Callable[[], None]) -> None:
        while True:
            self._update(_now())
            self._law.at(_now())
            changed()
            await asyncio.sleep(TICK_SECONDS)

    def _update(self, now: float) -> None:
        """Take over what the source knows by now."""
        standing, before = self._source.standing(), self._standing
        self._law.owned_until(now + standing.owned_for, self._source.session_timeout * (LOSE - STOP))
        if standing.partitions is None:
            return
        if before is None or standing.partitions is not before.partitions:
            self._law.counted(standing.partitions, now - standing.age, now)
        else:
            self._law.still_counted(now - standing.age)
        self._standing = standing

    async def _keep_confirmed(self) -> None:
        """Have ownership confirmed while there are no commits that do it."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            needed = self._source.session_timeout * (LOSE - CONFIRM)
            if self._law.owns_any and self._source.standing().owned_for < needed:
                try:
                    await self._source.confirm()
                except CommitFailed:  # the next poll finds out why
                    await asyncio.sleep(RETRY_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
