"""`check --connect` reports a wrong password with the client's own message."""

from __future__ import annotations

import pytest

from tests.support.inspection import kafka_problems
from tests.support.kafka_cluster import KafkaCluster
from worker.adapters.kafka.reader import KafkaReader
from worker.pipeline.ports import SourceFailed
from worker.settings import Kafka, Settings

pytestmark = pytest.mark.kafka


def test_a_wrong_password_is_reported_with_the_clients_message_and_a_right_one_is_not(
    own_kafka: KafkaCluster,
) -> None:
    assert "Authentication failed: Invalid username or password" in found(own_kafka, "wrong-password")[0]
    assert "wrong-password" not in str(found(own_kafka, "wrong-password"))
    assert [each for each in found(own_kafka, "right") if "uthentication" in each] == []
    assert found(own_kafka, "right")[0].startswith("no such topic")


def found(cluster: KafkaCluster, password: str) -> list[str]:
    return [str(each) for each in kafka_problems(login(cluster, password), ["orders"])]


def login(cluster: KafkaCluster, password: str) -> Kafka:
    properties = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "worker",
        "sasl.password": password,
    }
    return Kafka(bootstrap_servers=cluster.password_servers, properties=properties)


@pytest.mark.parametrize("topic", ["orders", None])
def test_commands_that_read_say_why_they_cannot(own_kafka: KafkaCluster, topic: str | None) -> None:
    reader = KafkaReader(Settings(kafka=login(own_kafka, "wrong-password")))
    with pytest.raises(SourceFailed) as raised:
        reader.topics() if topic is None else reader.bounds(topic)
    reader.close()
    assert "Authentication failed: Invalid username or password" in str(raised.value)
