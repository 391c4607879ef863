"""Runs a rule that has a mapper: the calls of a Python function, encoded like those of any other rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worker.core.reasons import Rejected
from worker.core.record_reading import record_millis
from worker.core.records import EncodedCall, Record
from worker.mapping.calls.assembly import as_time
from worker.mapping.calls.encoding import batch_context, encode
from worker.mapping.calls.validation import optional_identity
from worker.mapping.compiler.calls import Target
from worker.mapping.decoding import PLAIN, Decoding
from worker.mapping.expressions.interpreter import ENVELOPE
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
        decoding: decodes keys, and names the envelope.
        on_slow: called when the mapper took over a second, with its name and the seconds.
    """

    mapper: Mapper
    allow: frozenset[str]
    reject_ids: frozenset[str]
    target: Target
    decoding: Decoding = PLAIN
    on_slow: Callable[[str, float], None] | None = None

    def calls(
        self,
        record: Record,
        event: dict[str, Any],
        about: dict[str, Any] | None = None,
        *,
        empty: bool = False,
    ) -> list[EncodedCall]:
        """The encoded calls of one record.

        Args:
            record: the record.
            event: its event.
            about: what the event's envelope says of it, if it says anything.
            empty: whether its value holds a null, and so counts as a tombstone.

        Raises:
            Rejected: what `Mapper.calls` and `encoding.encode` raise.
        """
        if about is not None and self.decoding.envelope is not None:
            event = {**event, str(self.decoding.envelope.root): about}
        made = self.mapper.calls(
            Event.of(record, event, self.decoding.key, empty=empty),
            allow=self.allow,
            reject_ids=self.reject_ids,
            on_slow=self.on_slow,
        )
        target = self.target
        encoded: list[EncodedCall] = []
        try:
            for call, own_id in made:
                if "timestamp" not in call and (time := self._time(record, about)) is not None:
                    call["timestamp"] = time
                if "messageId" not in call:
                    event_id = own_id or self._event_id(about)
                    call["messageId"] = self._message_id(record, call, event_id, len(encoded))
                body = encode(call, max_bytes=target.max_call_bytes)
                encoded.append((body, batch_context(call) if target.batch_contexts else b""))
        except Rejected as rejected:
            rejected.call_index = len(encoded)
            raise
        return encoded

    def _time(self, record: Record, about: dict[str, Any] | None) -> str | None:
        """The time of a call that has none: that of the envelope, or of the record."""
        found = self._default("timestamp", about)
        return record_time(record) if found is None else as_time(found)

    def _event_id(self, about: dict[str, Any] | None) -> str | None:
        """The event's own id in its envelope."""
        return optional_identity(self._default("messageId", about), "messageId", self.reject_ids)

    def _default(self, field: str, about: dict[str, Any] | None) -> Any:
        """What the envelope gives for a field of a call."""
        default = self.decoding.defaults.get(field) if about else None
        return default.search({}, {ENVELOPE: about}) if default is not None else None

    def _message_id(self, record: Record, call: dict[str, Any], event_id: str | None, index: int) -> str:
        type_, name = call["type"], call.get("event", "")
        target = self.target
        if event_id is not None:
            return target.ids.for_event(event_id, type_, name, index)
        return target.ids.for_record(
            record_millis(record) or 0, target.topic, record.partition(), record.offset(), type_, name, index
        )
