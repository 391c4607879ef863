"""Each property reaches the clients that know it, and none that does not."""

from __future__ import annotations

import logging

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from worker.adapters.kafka.properties import (
    CONSUMER_ONLY,
    PRODUCER_ONLY,
    admin_properties,
    client_logger,
    consumer_properties,
    is_cooperative,
    producer_properties,
)
from worker.settings import Kafka, Memory


def test_a_property_that_only_one_kind_of_client_knows_goes_to_that_one_only() -> None:
    kafka = Kafka(properties={"linger.ms": "7", "fetch.min.bytes": "3", "socket.keepalive.enable": "true"})
    consumer, producer = consumer_properties(kafka, Memory()), producer_properties(kafka)
    admin = admin_properties(kafka)
    assert ("linger.ms" in consumer, consumer["fetch.min.bytes"]) == (False, "3")
    assert (producer["linger.ms"], "fetch.min.bytes" in producer) == ("7", False)
    assert {"linger.ms", "fetch.min.bytes"} & admin.keys() == set()
    assert all(each["socket.keepalive.enable"] == "true" for each in (consumer, producer, admin))


def test_no_property_is_of_both_kinds_alone() -> None:
    assert set() == CONSUMER_ONLY & PRODUCER_ONLY


def test_the_client_accepts_every_configuration_that_is_made() -> None:
    for protocol in ("classic", "consumer"):
        kafka = Kafka(bootstrap_servers="127.0.0.1:1", properties={"group.protocol": protocol})
        Consumer({**consumer_properties(kafka, Memory()), "log_level": 0}).close()
        Producer({**producer_properties(kafka), "log_level": 0})
        AdminClient({**admin_properties(kafka), "log_level": 0})


def test_the_user_goes_before_defaults_and_the_promises_before_the_user() -> None:
    properties = consumer_properties(Kafka(properties={"fetch.wait.max.ms": "5"}), Memory())
    assert properties["fetch.wait.max.ms"] == "5"
    assert properties["isolation.level"] == "read_committed"
    assert properties["enable.auto.commit"] is False


def test_the_group_protocol_decides_how_partitions_are_given_up() -> None:
    def cooperative(**properties: str) -> bool:
        given = {name.replace("_", "."): value for name, value in properties.items()}
        return is_cooperative(consumer_properties(Kafka(properties=given), Memory()))

    assert cooperative()
    assert cooperative(group_protocol="consumer")
    assert not cooperative(partition_assignment_strategy="range,roundrobin")


def test_a_kip848_member_leaves_to_the_broker_what_is_the_brokers() -> None:
    properties = consumer_properties(Kafka(properties={"group.protocol": "consumer"}), Memory())
    assert {"session.timeout.ms", "partition.assignment.strategy"} & properties.keys() == set()


def test_what_librdkafka_repeats_is_kept_back() -> None:
    logger = client_logger()
    lines = [
        logging.LogRecord("", 40, "", 0, "%s [%s] %s", ("FAIL-test", "rdkafka", "x"), None) for _ in range(9)
    ]
    assert [logger.filter(line) is not False for line in lines] == [True, *[False] * 8]
