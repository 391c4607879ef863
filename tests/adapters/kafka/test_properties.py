"""Each property is given to the clients that know it, and to no other."""

from __future__ import annotations

import json
import logging

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from worker.adapters.kafka.client_log import client_logger
from worker.adapters.kafka.commit_notes import CommitNote, parse_note
from worker.adapters.kafka.properties import (
    CONSUMER_ONLY,
    PRODUCER_ONLY,
    admin_properties,
    consumer_properties,
    is_cooperative,
    producer_properties,
)
from worker.adapters.kafka.property_checks import property_problems
from worker.adapters.kafka.reader import share_out
from worker.settings import Kafka, Memory, Settings
from worker.telemetry.logs import JsonFormatter


def test_a_property_that_only_one_kind_of_client_knows_goes_to_that_one_only() -> None:
    kafka = Kafka(properties={"linger.ms": "7", "fetch.min.bytes": "3", "socket.keepalive.enable": "true"})
    consumer, producer = consumer_properties(kafka, Memory()), producer_properties(kafka)
    admin = admin_properties(kafka)
    assert ("linger.ms" in consumer, consumer["fetch.min.bytes"]) == (False, "3")
    assert (producer["linger.ms"], "fetch.min.bytes" in producer) == ("7", False)
    assert {"linger.ms", "fetch.min.bytes"} & admin.keys() == set()
    assert all(each["socket.keepalive.enable"] == "true" for each in (consumer, producer, admin))


def test_no_property_belongs_to_one_kind_of_client_and_to_the_other() -> None:
    assert set() == CONSUMER_ONLY & PRODUCER_ONLY


def test_the_client_accepts_every_configuration_that_is_made() -> None:
    for protocol in ("classic", "consumer"):
        kafka = Kafka(bootstrap_servers="127.0.0.1:1", properties={"group.protocol": protocol})
        Consumer({**consumer_properties(kafka, Memory()), "log_level": 0}).close()
        Producer({**producer_properties(kafka), "log_level": 0})
        AdminClient({**admin_properties(kafka), "log_level": 0})


def test_the_user_overrides_defaults_and_the_guarantees_override_the_user() -> None:
    properties = consumer_properties(Kafka(properties={"fetch.wait.max.ms": "5"}), Memory())
    assert properties["fetch.wait.max.ms"] == "5"
    assert properties["isolation.level"] == "read_committed"
    assert properties["enable.auto.commit"] is False


def test_the_group_protocol_decides_how_partitions_are_revoked() -> None:
    def cooperative(**properties: str) -> bool:
        given = {name.replace("_", "."): value for name, value in properties.items()}
        return is_cooperative(consumer_properties(Kafka(properties=given), Memory()))

    assert cooperative()
    assert cooperative(group_protocol="consumer")
    assert not cooperative(partition_assignment_strategy="range,roundrobin")


def test_a_kip848_member_sets_no_property_that_the_broker_owns() -> None:
    properties = consumer_properties(Kafka(properties={"group.protocol": "consumer"}), Memory())
    owned = {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"}
    assert owned & properties.keys() == set()


def test_a_member_of_a_classic_group_learns_of_a_rebalance_soon() -> None:
    assert consumer_properties(Kafka(), Memory())["heartbeat.interval.ms"] == 500
    given = Kafka(properties={"heartbeat.interval.ms": "3000"})
    assert consumer_properties(given, Memory())["heartbeat.interval.ms"] == "3000"


def test_repeated_lines_of_librdkafka_are_rate_limited() -> None:
    logger = client_logger()
    lines = [
        logging.LogRecord("", 40, "", 0, "%s [%s] %s", ("FAIL-test", "rdkafka", "x"), None) for _ in range(9)
    ]
    assert [logger.filter(line) is not False for line in lines] == [True, *[False] * 8]


def test_lines_of_librdkafka_are_events_of_the_workers_log() -> None:
    text = "[thrd:x:1/bootstrap]: x:1/bootstrap: Connect failed"
    line = logging.LogRecord("", 40, "", 0, "%s [%s] %s", ("FAIL-form", "rdkafka#consumer-1", text), None)
    assert client_logger().filter(line)
    written = json.loads(JsonFormatter().format(line))
    assert written["event"] == "kafka_client_logged"
    assert (written["message"], written["facility"]) == ("x:1/bootstrap: Connect failed", "FAIL-form")


def test_warnings_about_different_properties_are_all_logged() -> None:
    lines = [
        logging.LogRecord("", 30, "", 0, "%s [%s] %s", ("CONFWARN", "rdkafka", f"[thrd:app]: {name}"), None)
        for name in ("a", "b", "a")
    ]
    assert [client_logger().filter(line) is not False for line in lines] == [True, True, False]


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"message.max.bytes": "9000000"}, None),
        ({"receive.message.max.bytes": "5000000"}, None),
        ({"receive.message.max.bytes": "500000"}, None),
        ({"fetch.max.bytes": "500000"}, None),
        ({"max.partition.fetch.bytes": "3000000"}, None),
        ({"linger.ms": "60000"}, None),
        ({"delivery.timeout.ms": "3"}, None),
        (
            {"message.max.bytes": "9000000", "receive.message.max.bytes": "5000000"},
            "receive.message.max.bytes",
        ),
        ({"session.timeout.ms": "600000"}, "session.timeout.ms"),
        ({"max.in.flight": "10"}, "max.in.flight"),
    ],
)
def test_defaults_adapt_to_the_users_values_and_conflicts_name_the_users_key(
    properties: dict[str, str], named: str | None
) -> None:
    found = [str(each) for each in property_problems(Settings(kafka=Kafka(properties=properties)))]
    assert len(found) == (0 if named is None else 1), found
    assert named is None or found[0].startswith(f"kafka.properties.{named}: ")


def test_shares_are_even_and_the_others_make_up_for_one_that_has_less() -> None:
    assert share_out(12, {0: 10, 1: 1, 2: 0, 3: 4}) == {0: 7, 1: 1, 2: 0, 3: 4}
    assert share_out(100, {0: 10, 1: 1}) == {0: 10, 1: 1}
    assert sum(share_out(1, {0: 10, 1: 10}).values()) == 1


@pytest.mark.parametrize(
    "text", [None, "", "x", "[]", '{"topic_id": 1, "latest_at": true}', '{"latest_at": -1}']
)
def test_commit_metadata_of_other_programs_is_ignored(text: str | None) -> None:
    assert parse_note(text) == CommitNote()


def test_a_commit_note_survives_a_round_trip() -> None:
    for note in (CommitNote(), CommitNote("abc"), CommitNote("abc", 1_700_000_000_000), CommitNote(None, 5)):
        assert parse_note(note.text()) == note
