"""The ids of topics: a topic that is deleted and created anew keeps its name and gets another id.

No callback and no consumer's metadata tells of it, so an administrative client asks.
"""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as AnswerTimeoutError
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from worker.adapters.kafka.clients import make_admin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient

WATCH_SECONDS = 5.0
"""How often the ids are compared. Commits carry the id too, so one made meanwhile is not taken for the new topic's."""

ANSWER_SECONDS = 10.0

_TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001 - the client's public name for its own code
_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""Zero, in base64: a broker that knows no ids."""


class TopicIds:
    """Asks for ids.

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
        """The ids at this moment; topics that are refused, or have none, are left out. Blocks.

        Raises:
            KafkaException: no answer in time.
        """
        if not self._finds_controller():
            return {}
        asked = self._ask(topics)
        deadline = time.monotonic() + ANSWER_SECONDS
        try:
            for answer in asked.values():
                answer.exception(max(0.0, deadline - time.monotonic()))
        except AnswerTimeoutError:
            raise KafkaException(KafkaError(_TIMED_OUT)) from None
        return _ids(asked)

    def changed(self, known: Mapping[str, str]) -> dict[str, str]:
        """Topics that have another id than the known one by the latest answer, with that. Waits for none."""
        if not self._asked:
            if self._has_controller and known and time.monotonic() - self._asked_at > WATCH_SECONDS:
                self._asked_at = time.monotonic()
                self._asked = self._ask(known)
            return {}
        if not all(answer.done() for answer in self._asked.values()):
            return {}
        answers, self._asked = self._asked, {}
        return {topic: found for topic, found in _ids(answers).items() if known.get(topic, found) != found}

    def _finds_controller(self) -> bool:
        """Without one nothing is answered, and the client would wait: the demo's cluster never has one."""
        if not self._has_controller:
            metadata = self._client().list_topics(timeout=ANSWER_SECONDS)
            self._has_controller = metadata.controller_id in metadata.brokers
        return self._has_controller

    def _client(self) -> AdminClient:
        self._admin = self._admin or make_admin(self._properties)
        return self._admin

    def _ask(self, topics: Iterable[str]) -> dict[str, Future[Any]]:
        names = sorted(topics)
        if not names:
            return {}
        return self._client().describe_topics(TopicCollection(names), request_timeout=ANSWER_SECONDS)


def _ids(answers: Mapping[str, Future[Any]]) -> dict[str, str]:
    found = {}
    for topic, answer in answers.items():
        if answer.exception() is None and (topic_id := str(answer.result().topic_id)) != _NO_ID:
            found[topic] = topic_id
    return found
