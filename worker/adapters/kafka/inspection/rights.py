"""What the brokers allow this user to do with topics and the group, as they say themselves (KIP-430)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin._acl import AclOperation

from worker.adapters.kafka.clients import wait_for
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS

if TYPE_CHECKING:
    from worker.adapters.kafka.inspection.connection import Connection

Rights = Mapping[str, Collection[AclOperation]]
"""The operations that are allowed on each topic. One that is not here, or has none, is one that the brokers say nothing
about: those older than Kafka 2.3 do not."""

READ, WRITE = AclOperation.READ, AclOperation.WRITE


def topic_rights(connection: Connection, names: Collection[str]) -> Rights:
    """The rights to these topics."""
    if not names or connection.admin is None or not connection.has_controller:
        return {}
    responses = connection.admin.describe_topics(
        TopicCollection(sorted(names)), include_authorized_operations=True, request_timeout=RESPONSE_SECONDS
    )
    try:
        wait_for(responses.values())
    except KafkaException:
        return {}
    done = {name: response for name, response in responses.items() if response.exception() is None}
    return {name: response.result().authorized_operations or () for name, response in done.items()}


def lacks(operations: Collection[AclOperation] | None, operation: AclOperation) -> bool:
    """Whether the brokers say that an operation is not allowed."""
    return bool(operations) and operation not in (operations or ())
