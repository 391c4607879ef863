"""What the brokers have set for a KIP-848 group: its members do not choose their session timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from worker.adapters.kafka.clients import make_admin, wait_for
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SESSION_SECONDS = 45
"""The default of librdkafka's `session.timeout.ms` and of the brokers' `group.consumer.session.timeout.ms`."""

_SESSION = "consumer.session.timeout.ms"
"""The group's own setting; a broker that has none for the group reports its `group.consumer.session.timeout.ms`."""


def group_session_timeout(properties: Mapping[str, Any], group_id: str, default: float) -> float:
    """The group's session timeout in seconds. Blocks.

    Args:
        properties: of an administrative client.
        group_id: the group.
        default: seconds, where the setting cannot be read: no right to `DescribeConfigs` on the group, or brokers older
            than Kafka 4.0.
    """
    group = ConfigResource(ResourceType.GROUP, group_id)
    try:
        admin = make_admin(properties)
        response = admin.describe_configs([group], request_timeout=RESPONSE_SECONDS)[group]
        wait_for([response])
        admin.poll(0)  # serves the client's log callback
        return int(response.result()[_SESSION].value) / 1000
    except (KafkaException, KeyError):
        return default
