"""Runs a rule that has a mapper: the calls of a Python function, encoded like those of any other rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.core.reasons import Rejected
from worker.core.record_reading import record_millis
from worker.core.records import EncodedCall, Record
from worker.customerio.meaning import has_reserved_traits
from worker.customerio.notices import Notice
from worker.customerio.profile_limits import excesses
from worker.mapping.calls.assembly import as_time
from worker.mapping.calls.encoding import batch_context, encode
from worker.mapping.calls.validation import optional_identity
from worker.mapping.compiler.target import Target
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
        allow: what its rule allows, see `customerio.meaning`.
        reject_ids: casefolded strings that are never real ids.
        target: what the topic's records are converted for.
        decoding: decodes keys, and names the envelope.
        at: the rule, as `file:line`.
    """

    mapper: Mapper
    allow: frozenset[str]
    reject_ids: frozenset[str]
    target: Target
    decoding: Decoding = PLAIN
    at: str = ""

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
            on_slow=self.target.on_slow,
        )
        target = self.target
        encoded: list[EncodedCall] = []
        try:
            for call, own_id in made:
                self._set_time(record, call, about)
                if "messageId" not in call:
                    event_id = own_id or self._event_id(about)
                    call["messageId"] = self._message_id(record, call, event_id, len(encoded))
                body = encode(call, max_bytes=target.max_call_bytes)
                self._notice(call)
                encoded.append((body, batch_context(call) if target.batch_contexts else b""))
        except Rejected as rejected:
            rejected.call_index = len(encoded)
            raise
        return encoded

    def _event_id(self, about: dict[str, Any] | None) -> str | None:
        """The event's own id in its envelope."""
        return optional_identity(self._default("messageId", about), "messageId", self.reject_ids)

    def _default(self, field: str, about: dict[str, Any] | None) -> Any:
        """What the envelope gives for a field of a call."""
        default = self.decoding.defaults.get(field) if about else None
        return default.search({}, {ENVELOPE: about}) if default is not None else None

    def _set_time(self, record: Record, call: dict[str, Any], about: dict[str, Any] | None) -> None:
        """Send the envelope's or record's time where the call has none, or the record's if it is too far ahead."""
        if "timestamp" not in call and (time_of_event := self._default("timestamp", about)) is not None:
            call["timestamp"] = as_time(time_of_event)
        if "timestamp" not in call:
            if (time := record_time(record)) is not None:
                call["timestamp"] = time
        elif self.target.future is not None:
            call["timestamp"] = self.target.future.within(call["timestamp"], record, self.at)

    def _notice(self, call: dict[str, Any]) -> None:
        """Report each limit of the Track API that the call exceeds, and traits that it reads as identifiers."""
        target = self.target
        if target.on_excess is not None:
            for kind in excesses(call):
                target.on_excess(kind, self.at)
        if target.on_notice is not None and has_reserved_traits(call):
            target.on_notice(Notice.RESERVED_TRAIT, self.at)

    def _message_id(self, record: Record, call: dict[str, Any], event_id: str | None, index: int) -> str:
        type_, name = call["type"], call.get("event", "")
        target = self.target
        if event_id is not None:
            return target.ids.for_event(event_id, type_, name, index)
        return target.ids.for_record(
            record_millis(record) or 0, target.topic, record.partition(), record.offset(), type_, name, index
        )
