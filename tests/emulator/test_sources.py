"""The record beside a call: what the messageId says, and what the demo knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.core.message_id import MessageIds
from worker.demo.cluster import EmbeddedCluster
from worker.demo.sources import Sources
from worker.emulator.sources import coordinates
from worker.programs.configuration import load_configuration

MILLIS = 1_790_000_000_000
MAPPING = """\
topics: [orders]
rules:
  - when: type == 'own_id'
    call: track
    event: Own
    userId: user
    messageId: id
  - when: type == 'two'
    calls:
      - {call: identify, userId: user}
      - {call: track, event: Two, userId: user}
"""


def test_an_id_of_coordinates_says_when_and_where_the_record_was_written() -> None:
    message_id = MessageIds("c").for_record(MILLIS, "orders", 3, 77_812, "track", "Bought", 1)
    found = coordinates(message_id)
    assert found == {"timestamp": "2026-09-21T14:13:20.000Z", "offset": 77_812, "call": 1}


@pytest.mark.parametrize(
    "message_id",
    [
        "",
        "m1",
        "not an id of the worker's",
        MessageIds.for_event("o-1", "track", "Bought", 0),
        "7" + "Z" * 25,
    ],
)
def test_another_id_says_nothing(message_id: str) -> None:
    assert coordinates(message_id) is None


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as running:
        running.create_topic("orders")
        yield running


@pytest.fixture
def sources(tmp_path: Path, cluster: EmbeddedCluster) -> Sources:
    (tmp_path / "orders.yaml").write_text(MAPPING)
    config = tmp_path / "worker.yaml"
    config.write_text(
        f"kafka: {{bootstrap_servers: '{cluster.bootstrap_servers}'}}\nmappings: [orders.yaml]\n"
    )
    settings, mappings = load_configuration(config, {}, needs_key=False)
    return Sources(settings, mappings, ["orders"])


def produce(cluster: EmbeddedCluster, **event: Any) -> None:
    cluster.producer.produce(
        "orders", json.dumps(event), key="k", headers=[("trace", b"1")], partition=2, timestamp=MILLIS
    )
    assert cluster.producer.flush(10) == 0


def test_the_demo_finds_the_record_of_an_id_that_the_mapping_names(
    cluster: EmbeddedCluster, sources: Sources
) -> None:
    produce(cluster, type="own_id", id="o-1", user="u1")
    found = sources.find(MessageIds.for_event("o-1", "track", "Own", 0))
    assert found is not None
    assert json.loads(found.pop("value")) == {"type": "own_id", "id": "o-1", "user": "u1"}
    assert found == {
        "topic": "orders",
        "partition": 2,
        "offset": 0,
        "timestamp": "2026-09-21T14:13:20.000Z",
        "key": "k",
        "headers": {"trace": "1"},
        "rule": "orders.yaml:3",
        "call": 0,
    }


def test_the_demo_finds_records_that_were_written_since_the_last_time(
    cluster: EmbeddedCluster, sources: Sources
) -> None:
    later = MessageIds.for_event("later", "track", "Own", 0)
    produce(cluster, type="two", user="u1")
    assert sources.find(later) is None
    produce(cluster, type="own_id", id="later", user="u1")
    found = sources.find(later)
    assert found is not None
    assert found["offset"] == 1


def test_an_event_that_was_produced_twice_is_shown_as_it_came_first(
    cluster: EmbeddedCluster, sources: Sources
) -> None:
    produce(cluster, type="own_id", id="o-1", user="u1")
    produce(cluster, type="own_id", id="o-1", user="u1")
    found = sources.find(MessageIds.for_event("o-1", "track", "Own", 0))
    assert found is not None
    assert found["offset"] == 0


def test_a_later_call_of_a_record_says_which_it_is(cluster: EmbeddedCluster, sources: Sources) -> None:
    cluster_id = str(cluster.producer.list_topics(timeout=10).cluster_id)
    produce(cluster, type="two", user="u1")
    found = sources.find(MessageIds(cluster_id).for_record(MILLIS, "orders", 2, 0, "track", "Two", 1))
    assert found is not None
    assert found["call"] == 1
