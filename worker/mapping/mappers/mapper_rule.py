"""Runs a rule that has a mapper: the calls of a Python function, encoded like those of any other rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worker.core.reasons import Rejected
from worker.core.record_reading import record_millis
from worker.core.records import EncodedCall, Record
from worker.mapping.calls.encoding import batch_context, encode
from worker.mapping.compiler.calls import Target
from worker.mapping.kafka_fields import record_time
from worker.mapping.mappers.event import Event
from worker.mapping.mappers.loading import Mapper


@dataclass(frozen=True, slots=True)
class MapperRule:
    """A mapper, and what its calls are checked and made for.

    Attributes:
        mapper: the function.
        allow: the destructive calls that it may make.
        reject_ids: casefolded strings that are never real ids.
        target: the topic, and what its calls are made for.
        on_slow: called when the mapper took over a second, with its name and the seconds.
    """

    mapper: Mapper
    allow: frozenset[str]
    reject_ids: frozenset[str]
    target: Target
    on_slow: Callable[[str, float], None] | None = None

    def calls(self, record: Record, event: dict[str, Any]) -> list[EncodedCall]:
        """The encoded calls of one record.

        Raises:
            Rejected: what `Mapper.calls` and `encoding.encode` raise.
        """
        made = self.mapper.calls(
            Event.of(record, event),
            allow=self.allow,
            reject_ids=self.reject_ids,
            on_slow=self.on_slow,
        )
        target = self.target
        encoded: list[EncodedCall] = []
        try:
            for call, event_id in made:
                if "timestamp" not in call and (time := record_time(record)) is not None:
                    call["timestamp"] = time
                if "messageId" not in call:
                    call["messageId"] = self._message_id(record, call, event_id, len(encoded))
                body = encode(call, max_bytes=target.max_call_bytes)
                encoded.append((body, batch_context(call) if target.batch_contexts else b""))
        except Rejected as rejected:
            rejected.call_index = len(encoded)
            raise
        return encoded

    def _message_id(self, record: Record, call: dict[str, Any], event_id: str | None, index: int) -> str:
        type_, name = call["type"], call.get("event", "")
        target = self.target
        if event_id is not None:
            return target.ids.for_event(event_id, type_, name, index)
        return target.ids.for_record(
            record_millis(record) or 0, target.topic, record.partition(), record.offset(), type_, name, index
        )
