"""A real Kafka for the session, or skipped tests that the end of the run reports prominently."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin._acl import AclOperation

from tests.conftest import NO_KAFKA
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster, configured_servers, missing_tools
from tests.support.ledger import PERSON, TEXT
from tests.support.raw_producer import RawProducer
from tests.support.secure_kafka import SecureKafka
from tests.support.shared_kafka import shared_kafka
from tests.support.worker_process import API_KEY, Site
from worker.demo.cluster import EmbeddedCluster
from worker.emulator import Emulator


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is slow by default, so that `make test` stays quick; tests that it runs are marked essential."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("essential") is None:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Kafka: from the environment, or one that is started here."""
    if servers := configured_servers():
        yield servers
        return
    need_a_broker_of_our_own()
    folder = tmp_path_factory.getbasetemp()
    # Each process of a parallel run has a folder of its own within that of the run.
    with shared_kafka(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as servers:
        yield servers


@pytest.fixture(scope="session")
def kafka(kafka_servers: str) -> KafkaClient:
    """A client of the real Kafka, for the set-up of tests."""
    return KafkaClient(kafka_servers)


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedCluster]:
    """librdkafka's mock cluster."""
    with EmbeddedCluster() as cluster:
        yield cluster


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaCluster]:
    """A real Kafka that this test may kill."""
    need_a_broker_of_our_own()
    with KafkaCluster(tmp_path / "kafka").running() as cluster:
        yield cluster


AUTHORIZER = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


@pytest.fixture
def guarded(tmp_path: Path, kafka_servers: str) -> Iterator[KafkaCluster]:
    """A Kafka of this test's own, with ACLs."""
    cluster = KafkaCluster(tmp_path / "kafka")
    with (cluster.directory / "server.properties").open("a") as properties:
        properties.write(AUTHORIZER)
    with cluster.running():
        yield cluster


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A Kafka that asks who its clients are. The user `worker` has no right to what is called `forbidden`, and not all
    to `unreadable` and `unwritable`."""
    need_a_broker_of_our_own()
    with SecureKafka(tmp_path_factory.mktemp("secure") / "kafka").running() as cluster:
        client = KafkaClient(cluster.bootstrap_servers)
        for name in ("orders", "forbidden", "unreadable", "unwritable", "customerio.dead-letters"):
            client.create_topic(1, name)
        cluster.forbid("forbidden")
        cluster.forbid("unreadable", AclOperation.READ)
        cluster.forbid("unwritable", AclOperation.WRITE)
        yield cluster


@pytest.fixture
def raw(kafka: KafkaClient) -> Iterator[RawProducer]:
    """Writes records that the Python client refuses to make, such as header names that are not UTF-8."""
    producer = RawProducer(kafka.servers)
    yield producer
    producer.close()


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """The Pipelines API in the test's own process, with one valid key."""
    emulator = Emulator(key=API_KEY, keep_calls=100_000)
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
def site(tmp_path: Path, kafka: KafkaClient, emulator: Emulator) -> Iterator[Site]:
    """Everything that a worker needs. Its log must never contain personal data or keys, whatever a test does."""
    site = Site(tmp_path, kafka, emulator)
    yield site
    leave(site)


@pytest.fixture(params=["classic", "consumer"])
def any_protocol(
    tmp_path: Path, kafka: KafkaClient, emulator: Emulator, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """As `site`, with each group protocol."""
    site = Site(tmp_path, kafka, emulator, request.param)
    yield site
    leave(site)


def leave(site: Site) -> None:
    """Kill workers that still run, and check their output."""
    for worker in site.workers:
        if worker.is_running:
            worker.kill()
        print(worker.output)  # noqa: T201 - pytest shows it where the test fails
        for private in (PERSON, TEXT, API_KEY):
            assert private not in worker.output


def need_a_broker_of_our_own() -> None:
    if missing := missing_tools():
        message = f"{NO_KAFKA}: install {missing}, or set KAFKA_BOOTSTRAP_SERVERS"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
