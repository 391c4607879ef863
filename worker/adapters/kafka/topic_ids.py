"""The ids of topics: a topic that is deleted and created again keeps its name and gets another id.

Neither a callback nor a consumer's metadata reports that, so an administrative client asks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import TopicCollection

from worker.adapters.kafka.clients import make_admin, wait_for
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient

WATCH_SECONDS = 5.0
"""How often the ids are compared. A recreated topic is noticed within this. Commits made meanwhile carry the old id, so
the next owner does not take them for the new topic's."""

_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""16 zero bytes in base64: the id that a broker reports if it knows none."""


class TopicIds:
    """Asks the brokers for topic ids.

    Args:
        properties: of an administrative client.
    """

    def __init__(self, properties: dict[str, Any]) -> None:
        self._properties = properties
        self._admin: AdminClient | None = None
        self._asked: dict[str, Future[Any]] = {}
        self._asked_at = 0.0
        self._has_controller = False

    def of(self, topics: Iterable[str]) -> dict[str, str]:
        """The current ids; topics that are refused or have no id are left out. Blocks.

        Raises:
            KafkaException: no response in time.
        """
        if not self._finds_controller():
            return {}
        responses = self._ask(topics)
        wait_for(responses.values())
        return _ids(responses)

    def changed(self, known: Callable[[], Mapping[str, str]]) -> dict[str, str]:
        """Topics whose id in the latest response differs from the known one, with the new id. Never blocks.

        Args:
            known: the ids by topic. It is called only when they are needed: each fetch asks for changes.
        """
        if not self._asked:
            if self._has_controller and time.monotonic() - self._asked_at > WATCH_SECONDS:
                self._asked_at = time.monotonic()
                self._asked = self._ask(known())
            return {}
        if not all(response.done() for response in self._asked.values()):
            return {}
        responses, self._asked, ids = self._asked, {}, known()
        return {topic: found for topic, found in _ids(responses).items() if ids.get(topic, found) != found}

    def _finds_controller(self) -> bool:
        """Without a controller the client would wait for a response in vain: the demo's cluster never has one."""
        if not self._has_controller:
            metadata = self._client().list_topics(timeout=RESPONSE_SECONDS)
            self._has_controller = metadata.controller_id in metadata.brokers
        return self._has_controller

    def _client(self) -> AdminClient:
        self._admin = self._admin or make_admin(self._properties)
        return self._admin

    def _ask(self, topics: Iterable[str]) -> dict[str, Future[Any]]:
        names = sorted(topics)
        if not names:
            return {}
        return self._client().describe_topics(TopicCollection(names), request_timeout=RESPONSE_SECONDS)


def _ids(responses: Mapping[str, Future[Any]]) -> dict[str, str]:
    """The ids in completed responses."""
    found = {}
    for topic, response in responses.items():
        if response.exception() is None and (topic_id := str(response.result().topic_id)) != _NO_ID:
            found[topic] = topic_id
    return found
