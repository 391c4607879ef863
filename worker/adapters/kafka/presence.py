"""Whether a KIP-848 group knows a member that it gives no partitions: no callback tells the consumer.

The classic protocol tells such a member by an empty assignment.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import ConsumerGroupState, KafkaException

from worker.adapters.kafka.clients import make_admin

if TYPE_CHECKING:
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient

ASK_SECONDS = 1.0
"""How often the group is asked, until the member has joined."""


class Presence:
    """Asks the coordinator, without ever waiting for its answer.

    Args:
        properties: of an administrative client.
        group_id: the group.
    """

    def __init__(self, properties: dict[str, Any], group_id: str) -> None:
        self._properties = properties
        self._group_id = group_id
        self._admin: AdminClient | None = None
        self._answer: Future[Any] | None = None
        self._asked_at = time.monotonic()

    def has_nothing_for(self, member_id: str) -> bool:
        """Whether, by the latest answer, the group is stable, and has this member, without any partitions."""
        answer, self._answer = self._take_answer()
        if answer is None or answer.state != ConsumerGroupState.STABLE:
            return False
        return any(
            member.member_id == member_id and not member.assignment.topic_partitions
            for member in answer.members
        )

    def _take_answer(self) -> tuple[Any, Future[Any] | None]:
        if self._answer is None:
            return None, self._ask()
        if not self._answer.done():
            return None, self._answer
        try:
            return self._answer.result(), None
        except KafkaException:  # asked again
            return None, None

    def _ask(self) -> Future[Any] | None:
        now = time.monotonic()
        if now - self._asked_at < ASK_SECONDS:
            return None
        self._asked_at = now
        self._admin = self._admin or make_admin(self._properties)
        self._admin.poll(0)  # lets it log
        asked: dict[str, Future[Any]] = self._admin.describe_consumer_groups([self._group_id])
        return asked[self._group_id]
