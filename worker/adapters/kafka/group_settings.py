"""What the brokers have set for a KIP-848 group: its members do not choose their session timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from worker.adapters.kafka.clients import make_admin, wait_for
from worker.adapters.kafka.error_codes import UNSUPPORTED_FEATURE
from worker.adapters.kafka.properties import admin_properties, is_kip848
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.settings import Kafka

_SESSION = "consumer.session.timeout.ms"
"""The group's own setting; a broker that has none for the group reports its `group.consumer.session.timeout.ms`."""


_REFUSED = {
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.INVALID_REQUEST,
    KafkaError.INVALID_CONFIG,
    KafkaError.UNSUPPORTED_VERSION,
    UNSUPPORTED_FEATURE,
}
"""There is no right to read the setting, or the brokers do not know it. Everything else may pass."""

_NOT_READ = (
    "rate_limit.scope is group, but the session timeout of the KIP-848 group cannot be read from the brokers"
)
"""Without it a member that has lost its brokers does not know when others may own its partitions."""

_HINT = "allow DESCRIBE_CONFIGS on the group, which brokers have since Kafka 4.0, or set scope: process"


def read_session(kafka: Kafka, metadata: ClusterMetadata, *, needed: bool) -> float | None:
    """The session timeout that the brokers have set for the group; None if its members choose it. Blocks.

    Args:
        kafka: the settings.
        metadata: the cluster's.
        needed: whether the worker cannot do without it; otherwise None also says that it cannot be read.

    Raises:
        SourceFailed: it is needed, and there is no right to it, or the brokers are older than Kafka 4.0.
        KafkaException: it is needed, and there was no response, or one that may be another later.
    """
    if not is_kip848(kafka.properties):
        return None
    # Without a controller (the demo's cluster has none) an administrative request would get no response.
    if metadata.controller_id in metadata.brokers:
        try:
            return _session_timeout(admin_properties(kafka), kafka.group_id)
        except KafkaException as error:
            if needed and error.args[0].code() not in _REFUSED:
                raise
        except KeyError:  # brokers that do not know the setting
            pass
    if needed:
        raise SourceFailed(f"{_NOT_READ}: {_HINT}")
    return None


def _session_timeout(properties: Mapping[str, Any], group_id: str) -> float:
    group = ConfigResource(ResourceType.GROUP, group_id)
    admin = make_admin(properties)
    response = admin.describe_configs([group], request_timeout=RESPONSE_SECONDS)[group]
    wait_for([response])
    admin.poll(0)  # serves the client's log callback
    return int(response.result()[_SESSION].value) / 1000
