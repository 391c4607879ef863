"""Topics that change while the worker runs: affected partitions wait and are named, all others continue."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.kafka.conftest import leave
from tests.support.kafka_client import SECONDS, KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.memory_source import MemoryRecord
from tests.support.recorded_telemetry import RecordedTelemetry
from tests.support.worker_process import MAPPING, PROTOCOLS, Site, until
from worker.adapters.dead_letter_topic.writer import DeadLetterTopic
from worker.core.reasons import Stage
from worker.dead_letters.failed_record import FailedRecord
from worker.emulator import Emulator
from worker.settings import Kafka

pytestmark = pytest.mark.kafka


def dead_letter(partition: int, value: bytes = b"{broken") -> FailedRecord:
    record = MemoryRecord(("orders", partition), 42, b"key", value, [], 1_700_000_000_123)
    return FailedRecord(record, Stage.MAP, "MAPPER_FAILED", "it raised", 1_795_269_600.25)


@asynccontextmanager
async def writer(kafka: KafkaClient, topic: str) -> AsyncIterator[DeadLetterTopic]:
    settings = Kafka(
        bootstrap_servers=kafka.servers,
        dead_letter_topic=topic,
        properties={"delivery.timeout.ms": "3000", "topic.metadata.refresh.interval.ms": "500"},
    )
    dead_letters = DeadLetterTopic(settings, cast("Any", RecordedTelemetry()))
    dead_letters.cluster_id = "cluster-1"
    yield dead_letters
    await dead_letters.close()


async def written(dead_letters: DeadLetterTopic, one: FailedRecord) -> None:
    async with asyncio.timeout(60):
        while await dead_letters.write([one]) != [None]:
            pass


def refuses(kafka: KafkaClient, topic: str, value: bytes) -> bool:
    end = kafka.end(topic, 0)
    kafka.append(topic, values=[value])
    return kafka.end(topic, 0) == end


async def test_a_dead_letter_topic_that_was_recreated_with_fewer_partitions_takes_dead_letters(
    kafka: KafkaClient,
) -> None:
    topic = kafka.create_topic(3)
    async with writer(kafka, topic) as dead_letters:
        assert await dead_letters.write([dead_letter(2)]) == [None]
        kafka.delete_topic(topic)
        assert await dead_letters.write([dead_letter(2)]) != [None]
        async with asyncio.timeout(60):
            while topic in kafka.admin.list_topics(timeout=SECONDS).topics:  # noqa: ASYNC110 - in the broker
                await asyncio.sleep(0.05)
        kafka.create_topic(1, topic)
        await written(dead_letters, dead_letter(2))
    assert kafka.end(topic, 0) == 1


async def test_a_dead_letter_topic_whose_limit_is_lowered_takes_smaller_dead_letters(
    kafka: KafkaClient,
) -> None:
    topic = kafka.create_topic()
    async with writer(kafka, topic) as dead_letters:
        large = dead_letter(0, random.Random(1).randbytes(50_000))
        assert await dead_letters.write([large]) == [None]
        entry = ConfigEntry("max.message.bytes", "20000", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        kafka.admin.incremental_alter_configs([resource])[resource].result(SECONDS)
        await until(
            lambda: refuses(kafka, topic, bytes(30_000))
        )  # the controller responds before the broker knows
        await written(dead_letters, large)
    values = [message.value() for message in kafka.read(topic, kafka.end(topic, 0))]
    assert values[-1] is None


async def test_a_producer_that_lost_its_rights_is_replaced_once_they_are_granted_again(
    guarded: KafkaCluster,
) -> None:
    kafka = KafkaClient(guarded.bootstrap_servers)
    topic = kafka.create_topic()
    denied = [
        deny(kafka, "*", AclOperation.WRITE),
        deny(kafka, "kafka-cluster", AclOperation.IDEMPOTENT_WRITE, ResourceType.BROKER),
    ]
    async with writer(kafka, topic) as dead_letters:
        (refused,) = await dead_letters.write([dead_letter(0)])
        assert refused is not None
        assert refused.startswith("CLUSTER_AUTHORIZATION_FAILED")
        telemetry = cast("RecordedTelemetry", dead_letters._telemetry)
        assert [client for client, _ in telemetry.of("kafka_client_failed")] == ["producer"]
        kafka.admin.delete_acls(denied)
        await written(dead_letters, dead_letter(0))
    assert kafka.end(topic, 0) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_topic_whose_rights_are_revoked_waits_and_the_others_continue(
    guarded: KafkaCluster, tmp_path: Path, emulator: Emulator, protocol: str
) -> None:
    site, other = two_topics(guarded, tmp_path, emulator, protocol)
    worker = await site.started()
    site.produce(20)
    site.produce(20, topic=other)
    await site.delivered()
    denied = deny(site.kafka, other, AclOperation.READ)
    site.produce(20, topic=other)
    await worker.not_ready_for("KAFKA_NOT_AUTHORIZED")
    site.produce(20)
    await until(lambda: site.committed() == site.ends())

    # A worker that joins now reads the other topics too.
    assert await worker.stop() == 0
    worker = site.start()
    site.produce(20)
    await until(lambda: site.committed() == site.ends())
    assert await worker.reasons() == ["KAFKA_NOT_AUTHORIZED"]
    site.kafka.admin.delete_acls([denied])
    await site.delivered()
    await worker.ready()
    await until(lambda: site.committed(other) == site.ends(other))
    assert await worker.stop() == 0
    leave(site)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_deleted_topic_does_not_delay_others(
    own_kafka: KafkaCluster, tmp_path: Path, emulator: Emulator, protocol: str
) -> None:
    site, other = two_topics(own_kafka, tmp_path, emulator, protocol)
    worker = await site.started()
    site.produce(20)
    site.produce(20, topic=other)
    await site.delivered()
    site.kafka.delete_topic(other)
    await worker.not_ready_for("TOPIC_MISSING")
    site.produce(20)
    await site.delivered()
    await until(lambda: site.committed() == site.ends())
    site.kafka.create_topic(2, other)
    site.produce(20, topic=other)
    await site.delivered()
    await worker.ready()
    assert await worker.stop() == 0
    leave(site)


def two_topics(cluster: KafkaCluster, folder: Path, emulator: Emulator, protocol: str) -> tuple[Site, str]:
    site = Site(folder, KafkaClient(cluster.bootstrap_servers), emulator, protocol)
    site.change_property("topic.metadata.refresh.interval.ms", 500)
    other = site.kafka.create_topic(2)
    site.mapping = MAPPING.format(topics=json.dumps([site.topic, other]))
    return site, other


def deny(
    kafka: KafkaClient, name: str, operation: AclOperation, kind: ResourceType = ResourceType.TOPIC
) -> AclBindingFilter:
    """Deny one operation; returns the filter with which `delete_acls` allows it again."""
    where = (kind, name, ResourcePatternType.LITERAL, "User:*", "*")
    bindings = [
        AclBinding(*where, AclOperation.ALL, AclPermissionType.ALLOW),
        AclBinding(*where, operation, AclPermissionType.DENY),
    ]
    for answer in kafka.admin.create_acls(bindings).values():
        answer.result(SECONDS)
    return AclBindingFilter(*where, operation, AclPermissionType.DENY)
