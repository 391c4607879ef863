"""A process that stood still for longer than its session sends nothing of what became another's."""

from __future__ import annotations

import signal

import pytest

from tests.support.worker_process import Site, until
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka


async def test_a_worker_that_was_stopped_for_longer_than_its_session_sends_nothing_of_lost_partitions(
    site: Site, emulator: Emulator
) -> None:
    site.change_property("session.timeout.ms", 3000)
    site.change("batch", max_calls=10)
    # Requests wait for their turn, so many are ready to go when the process wakes.
    site.change("rate_limit", requests=1, per="1s")
    first = await site.started()
    site.produce(400)
    await first.consumed(400)
    await until(lambda: emulator.traffic.total >= 2)
    first.signal(signal.SIGSTOP)
    site.change("rate_limit", requests=3000, per="3s")
    second = await site.joined()
    await site.delivered()
    await until(lambda: site.committed() == site.ends())
    answered = emulator.traffic.total
    first.signal(signal.SIGCONT)
    await until(lambda: first.told("partitions_lost"))
    await first.ready()
    assert await first.stop() == 0
    assert emulator.traffic.total == answered
    assert await second.stop() == 0
    site.ledger.check()


async def test_a_worker_that_was_stopped_within_its_session_goes_on(site: Site, emulator: Emulator) -> None:
    site.change("batch", max_calls=10)
    site.change("rate_limit", requests=2, per="1s")
    worker = await site.started()
    site.produce(100)
    await until(lambda: emulator.traffic.total >= 2)
    worker.signal(signal.SIGSTOP)
    worker.signal(signal.SIGCONT)
    await site.delivered()
    await worker.ready()
    assert await worker.stop() == 0
    assert site.ledger.repeated == 0
