"""Has the faults of a plan happen to a running world."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.campaign.api import CampaignApi
from tests.campaign.history import Disruption
from tests.campaign.members import Member
from tests.campaign.plan import Fault
from tests.campaign.world import SESSION_SECONDS
from tests.support.kafka_cluster import KafkaCluster
from worker.emulator import Fault as ApiFault


class Faults:
    """What may happen to a world; each fault of a plan is one of these methods.

    Args:
        members: by their number; new ones are added.
        new_member: makes a member with a number and so many processes.
        add_partitions: to the topic of a number, so many more.
        cluster: the broker; None if it may not be restarted.

    Attributes:
        disruptions: those that concern all members.
    """

    def __init__(
        self,
        members: dict[int, Member],
        new_member: Callable[[int, int], Member],
        api: CampaignApi,
        add_partitions: Callable[[int, int], None],
        cluster: KafkaCluster | None,
    ) -> None:
        self.disruptions: list[Disruption] = []
        self._members = members
        self._new_member = new_member
        self._api = api
        self._add_partitions = add_partitions
        self._cluster = cluster
        # Partitions are not added while the broker restarts: an administrator's command would fail.
        self._broker = asyncio.Lock()

    async def happen(self, faults: tuple[Fault, ...]) -> None:
        """Have all of them happen, each at its time after now; wait for the last to be over."""
        async with asyncio.TaskGroup() as happening:
            for fault in faults:
                happening.create_task(self._happen(fault))

    async def _happen(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        await getattr(self, fault.what.replace(" ", "_"))(fault)

    def _member(self, fault: Fault) -> Member:
        assert fault.member is not None
        return self._members[fault.member]

    async def kill(self, fault: Fault) -> None:
        await self._member(fault).kill()
        await self._start_again(fault)

    async def kill_child(self, fault: Fault) -> None:
        self._member(fault).kill_child(fault.arguments["child"])

    async def stop(self, fault: Fault) -> None:
        await self._member(fault).stop(fault.seconds or 0, fault.arguments.get("child"))

    async def leave(self, fault: Fault) -> None:
        await self._member(fault).leave()
        await self._start_again(fault)

    async def leave_at_once(self, fault: Fault) -> None:
        await self._member(fault).leave(at_once=True)
        await self._start_again(fault)

    async def join(self, fault: Fault) -> None:
        assert fault.member is not None
        member = self._new_member(fault.member, fault.arguments["processes"])
        self._members[fault.member] = member
        member.start()

    async def api(self, fault: Fault) -> None:
        await self._api.during(fault.seconds or 0, ApiFault(**fault.arguments))

    async def add_partitions(self, fault: Fault) -> None:
        async with self._broker:
            await asyncio.to_thread(self._add_partitions, fault.arguments["topic"], fault.arguments["more"])

    async def restart_the_broker(self, _: Fault) -> None:
        assert self._cluster is not None
        await self._restart(self._cluster.stop)

    async def kill_the_broker(self, _: Fault) -> None:
        assert self._cluster is not None
        await self._restart(self._cluster.kill)

    async def _restart(self, end: Callable[[], None]) -> None:
        assert self._cluster is not None
        begun = time.time()
        async with self._broker:
            await asyncio.to_thread(end)
            await asyncio.to_thread(self._cluster.start)
        # The group comes to rest some time after the broker is back.
        until = time.time() + 3 * SESSION_SECONDS
        self.disruptions.append(Disruption(begun, until, "restart of the broker"))

    async def _start_again(self, fault: Fault) -> None:
        await asyncio.sleep(fault.seconds or 0)
        if self._member(fault).process is None:
            self._member(fault).start()
