"""Runs a plan on a real Kafka, and keeps what happened."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
import zlib
from contextlib import suppress
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from tests.campaign import broker, logs
from tests.campaign.api import CampaignApi
from tests.campaign.events import MAPPING, Event
from tests.campaign.faults import Faults
from tests.campaign.history import History
from tests.campaign.members import Member
from tests.campaign.plan import Plan
from tests.campaign.world import SESSION_SECONDS, TIMEOUT_SECONDS, World
from tests.support.kafka_client import SECONDS, KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.worker_process import LOOK_SECONDS
from worker.core.records import Partition

START_SECONDS = 60.0
"""A member is ready by then, or something is wrong."""

REST_SECONDS = 60.0
"""A world comes to rest so soon after its last fault, or something is wrong."""


class WorldRun:
    """A world while it runs.

    Args:
        plan: what is to happen.
        servers: the address of a Kafka.
        cluster: the same, if it may be restarted.
        folder: of configurations and logs.

    Attributes:
        history: what happened.
        seconds: how long each phase took.
    """

    def __init__(self, plan: Plan, servers: str, cluster: KafkaCluster | None, folder: Path) -> None:
        world = plan.world
        self.history = History(dead_letter_partitions=world.dead_letter_partitions)
        self.seconds: dict[str, float] = {}
        self._begun = time.monotonic()
        self._plan, self._folder, self._servers = plan, folder, servers
        self._kafka = KafkaClient(servers)
        self._group = f"campaign-{world.seed}-{uuid.uuid4().hex[:8]}"
        self._topics = [self._kafka.create_topic(each.partitions) for each in world.topics]
        self._dead_letters = self._kafka.create_topic(world.dead_letter_partitions)
        if world.protocol == "consumer":
            self._kafka.set_session_timeout(self._group, int(SESSION_SECONDS * 1000))
        self._partitions = [each.partitions for each in world.topics]
        self._api = CampaignApi(world.latency, world.strict_batches)
        self._members: dict[int, Member] = {}
        self._faults = Faults(self._members, self._new_member, self._api, self._add_partitions, cluster)
        self._producer = Producer(
            {"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        )

    async def run(self) -> None:
        """Run it from its beginning to its rest.

        It returns nothing, because asyncio formats the result of a task when it ends: a history is gigabytes of text.
        """
        await self._api.start()
        try:
            await self._live()
        finally:
            for member in self._members.values():
                member.end()
            await self._api.stop()
        await asyncio.to_thread(self._look)
        self._timed("read")

    async def _live(self) -> None:
        world = self._plan.world
        events = list(world.events())
        self.history.events = events
        before = int(len(events) * world.before)
        self._produce(events[:before])
        for number, processes in enumerate(world.members):
            self._members[number] = self._new_member(number, processes)
            self._members[number].start()
        await self._first_is_ready()
        self._timed("ready")
        async with asyncio.TaskGroup() as living:
            living.create_task(self._produce_over_time(events[before:], world))
            living.create_task(self._faults.happen(self._plan.faults))
        await asyncio.to_thread(self._producer.flush, SECONDS)
        self._api.faults.clear()
        self._timed("faults")
        await self._at_rest()
        self._timed("rest")
        await self._all_ready()
        await asyncio.gather(*[member.leave() for member in self._members.values()])
        self._timed("exit")

    def _timed(self, phase: str) -> None:
        """Note how long a phase took, for the one who reads the report."""
        self.seconds[phase] = time.monotonic() - self._begun - sum(self.seconds.values())

    def _new_member(self, number: int, processes: int) -> Member:
        world = self._plan.world
        properties = world.kafka_properties()
        if world.static:
            properties["group.instance.id"] = f"member-{number}"
        settings = world.settings() | {
            "kafka": {
                "bootstrap_servers": self._servers,
                "group_id": self._group,
                "dead_letter_topic": self._dead_letters,
                "properties": properties,
            },
            "pipelines": {
                "url": self._api.address,
                "api_key": "${PIPELINES_API_KEY}",
                "timeout": f"{TIMEOUT_SECONDS:g}s",
            },
        }
        mappings = [
            MAPPING.format(topics=json.dumps([name]), unmatched=topic.unmatched)
            for name, topic in zip(self._topics, world.topics, strict=True)
        ]
        return Member(self._folder, number, processes, json.dumps(settings, indent=1), mappings)

    async def _first_is_ready(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while [] not in [await each.not_ready() for each in self._members.values()]:  # noqa: ASYNC110 - in processes
                await asyncio.sleep(LOOK_SECONDS)

    # Events

    async def _produce_over_time(self, events: list[Event], world: World) -> None:
        begun = time.monotonic()
        for number, event in enumerate(events):
            due = begun + world.seconds * number / len(events)
            if (ahead := due - time.monotonic()) > LOOK_SECONDS:
                await asyncio.sleep(ahead)
            self._produce([event])

    def _produce(self, events: list[Event]) -> None:
        """Hand them over; the partition is that of the key, so it is another once there are more partitions."""
        for event in events:
            partitions = self._partitions[event.topic]
            chosen = zlib.crc32(event.key if event.key is not None else str(event.number).encode())
            self._producer.produce(
                self._topics[event.topic], event.value, event.key, chosen % partitions, headers=event.headers
            )
            self._producer.poll(0)

    def _add_partitions(self, topic: int, more: int) -> None:
        name = self._topics[topic]
        self._kafka.add_partitions(name, self._partitions[topic] + more)
        while (
            len(self._producer.list_topics(name, SECONDS).topics[name].partitions)
            < self._partitions[topic] + more
        ):
            time.sleep(LOOK_SECONDS)
        self._partitions[topic] += more

    # Rest

    async def _at_rest(self) -> None:
        """Wait until the group has committed everything; if it does not, the judge says so."""
        if all(each.process is None for each in self._members.values()):
            self._members[0].start()
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                while not await asyncio.to_thread(self._seems_at_rest):  # noqa: ASYNC110 - in Kafka
                    await asyncio.sleep(4 * LOOK_SECONDS)

    def _seems_at_rest(self) -> bool:
        """Whether everything is committed, as far as a broker that may just have restarted answers."""
        try:
            return self._all_committed()
        except KafkaException:
            return False

    async def _all_ready(self) -> None:
        """Wait until every member that runs is ready; if one is not, the judge says so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                self.history.not_ready = await self._not_ready()
                while self.history.not_ready:
                    await asyncio.sleep(LOOK_SECONDS)
                    self.history.not_ready = await self._not_ready()

    async def _not_ready(self) -> list[str]:
        """Members that run and are not ready, each with the reasons."""
        found = [(number, await member.not_ready()) for number, member in self._members.items()]
        return [f"member {number}: {reasons}" for number, reasons in found if reasons]

    def _all_committed(self) -> bool:
        consumer = Consumer({"bootstrap.servers": self._servers, "group.id": self._group, "log_level": 0})
        try:
            places = [each for topic in self._topics for each in broker.partitions_of(consumer, topic)]
            asked = [TopicPartition(*each) for each in places]
            committed = {
                (each.topic, each.partition): max(each.offset, 0)
                for each in consumer.committed(asked, timeout=SECONDS)
            }
            self.history.ends = {each: self._end(consumer, each) for each in places}
            self.history.committed = committed
            return self.history.ends == committed
        finally:
            consumer.close()

    def _end(self, consumer: Consumer, partition: Partition) -> int:
        ends: tuple[int, int] = consumer.get_watermark_offsets(TopicPartition(*partition), SECONDS)
        return ends[1]

    def _look(self) -> None:
        """Collect everything that is known."""
        history = self.history
        self._all_committed()
        history.sources = broker.sources(self._servers, self._topics, history.events)
        history.dead_letters = broker.dead_letters(self._servers, self._dead_letters)
        history.commits = broker.commits(self._servers, self._group)
        history.requests, history.accepted = self._api.requests, self._api.accepted
        history.happened = self._plan.has
        history.disruptions = list(self._faults.disruptions)
        for member in self._members.values():
            history.disruptions += member.disruptions
            history.exits += member.exits
            history.logs |= member.logs
        history.assigned = list(logs.moves(history.logs.values(), "assigned"))
        history.moves = list(logs.moves(history.logs.values(), "revoked"))
        history.disruptions += logs.losses(history.logs.values())
