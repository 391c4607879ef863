"""After a standstill nothing is sent until the source has confirmed ownership. On virtual time."""

from __future__ import annotations

import asyncio

from tests.support.memory_source import MemoryBroker, MemorySource
from worker.pipeline.send_permit import SendPermit
from worker.pipeline.standstill import RETRY_SECONDS, StandstillGuard


class Bench:
    """A guard whose wall clock a test moves, as a suspended machine's moves while the loop's clock stops."""

    def __init__(self) -> None:
        self.suspended = 0.0
        self.source = MemorySource(MemoryBroker(), [])
        self.permit = SendPermit()
        self.guard = StandstillGuard(self.source, self.permit, self.clock)

    def clock(self) -> float:
        return asyncio.get_running_loop().time() + self.suspended


async def test_a_standstill_withholds_the_permit_until_ownership_is_confirmed() -> None:
    bench = Bench()
    bench.source.session_timeout = 9.0
    bench.source.commit_failures = 2
    bench.suspended += 3.5
    bench.guard.notice()
    assert bench.guard.unconfirmed
    assert not bench.permit.granted
    running = asyncio.create_task(bench.guard.run())
    await asyncio.sleep(9.0 / 3 / 4 + 2 * RETRY_SECONDS + 0.1)
    assert bench.source.confirmations == 3
    assert not bench.guard.unconfirmed
    assert bench.permit.granted
    running.cancel()


async def test_a_shorter_standstill_changes_nothing() -> None:
    bench = Bench()
    bench.source.session_timeout = 9.0
    bench.suspended += 2.5
    bench.guard.notice()
    assert bench.permit.granted


async def test_the_session_timeout_is_read_after_the_source_is_open() -> None:
    bench = Bench()
    bench.source.session_timeout = 3.0  # as the brokers of a KIP-848 group say
    bench.suspended += 2.5
    bench.guard.notice()
    assert not bench.permit.granted
