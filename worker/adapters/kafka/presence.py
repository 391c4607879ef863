"""Whether a KIP-848 group has accepted a member without giving it partitions, which no callback reports.

The classic protocol reports it by an empty assignment.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import ConsumerGroupState, KafkaException

from worker.adapters.kafka.clients import make_admin
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS

if TYPE_CHECKING:
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient

ASK_SECONDS = 1.0
"""How often the group is asked until the member has joined: `/readyz` says `JOINING` for at most this much longer."""


class Presence:
    """Asks the coordinator, without ever blocking on its response.

    Args:
        properties: of an administrative client.
        group_id: the group.
    """

    def __init__(self, properties: dict[str, Any], group_id: str) -> None:
        self._properties = properties
        self._group_id = group_id
        self._admin: AdminClient | None = None
        self._response: Future[Any] | None = None
        self._asked_at = time.monotonic()

    def is_idle_member(self, member_id: str) -> bool:
        """Whether the latest response shows a stable group with this member and no partitions for it."""
        group, self._response = self._take_response()
        if group is None or group.state != ConsumerGroupState.STABLE:
            return False
        return any(
            member.member_id == member_id and not member.assignment.topic_partitions
            for member in group.members
        )

    def _take_response(self) -> tuple[Any, Future[Any] | None]:
        if self._response is None:
            return None, self._ask()
        if not self._response.done():
            return None, self._response
        try:
            return self._response.result(), None
        except KafkaException:  # asked again
            return None, None

    def _ask(self) -> Future[Any] | None:
        now = time.monotonic()
        if now - self._asked_at < ASK_SECONDS:
            return None
        self._asked_at = now
        try:
            self._admin = self._admin or make_admin(self._properties)
        except KafkaException:  # no token for it; asked again
            return None
        self._admin.poll(0)  # serves the client's log callback
        responses: dict[str, Future[Any]] = self._admin.describe_consumer_groups(
            [self._group_id], request_timeout=RESPONSE_SECONDS
        )
        return responses[self._group_id]
