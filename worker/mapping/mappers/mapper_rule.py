"""Runs a rule that has a mapper: the calls of a Python function, encoded like those of any other rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from worker.core.reasons import Rejected
from worker.core.records import EncodedCall, Record
from worker.customerio.meaning import has_reserved_traits
from worker.customerio.notices import Notice
from worker.customerio.profile_limits import excesses
from worker.mapping.calls.assembly import as_time
from worker.mapping.calls.encoding import batch_context, encode
from worker.mapping.calls.validation import optional_identity
from worker.mapping.compiler.fast_paths import safe_starts
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
    _key_of: Callable[[Record], Any] = field(init=False)
    _on_excess: Callable[..., object] | None = field(init=False)
    _safe_starts: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key_of", self.decoding.key)
        object.__setattr__(self, "_on_excess", self.target.on_excess)
        object.__setattr__(self, "_safe_starts", safe_starts(self.reject_ids))

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
            Event.of(record, event, self._key_of, empty=empty),
            self.allow,
            self.reject_ids,
            self._safe_starts,
            self.target.on_slow,
        )
        encoded: list[EncodedCall] = []
        try:
            for call, own_id in made:
                encoded.append(self._encoded(record, call, own_id, about, len(encoded)))
        except Rejected as rejected:
            rejected.call_index = len(encoded)
            raise
        return encoded

    def _encoded(
        self,
        record: Record,
        call: dict[str, Any],
        own_id: str | None,
        about: dict[str, Any] | None,
        index: int,
    ) -> EncodedCall:
        """Complete a call and encode it."""
        target = self.target
        if "timestamp" not in call:
            self._set_time(record, call, about)
        elif target.future is not None:
            call["timestamp"] = target.future.within(call["timestamp"], record, self.at)
        if "messageId" not in call:
            if own_id is None and about is not None:
                own_id = self._event_id(about)
            call["messageId"] = self._message_id(record, call, own_id, index)
        body = encode(call, target.max_call_bytes)
        if self._on_excess is not None:
            for kind in excesses(call):
                self._on_excess(kind, self.at)
        if "traits" in call and target.on_notice is not None and has_reserved_traits(call):
            target.on_notice(Notice.RESERVED_TRAIT, self.at)
        return body, batch_context(call) if target.batch_contexts else b""

    def _event_id(self, about: dict[str, Any] | None) -> str | None:
        """The event's own id in its envelope."""
        return optional_identity(self._default("messageId", about), "messageId", self.reject_ids)

    def _default(self, field: str, about: dict[str, Any] | None) -> Any:
        """What the envelope gives for a field of a call."""
        default = self.decoding.defaults.get(field) if about else None
        return default.search({}, {ENVELOPE: about}) if default is not None else None

    def _set_time(self, record: Record, call: dict[str, Any], about: dict[str, Any] | None) -> None:
        """Send the envelope's or the record's time where the call has none."""
        if (time_of_event := self._default("timestamp", about)) is not None:
            call["timestamp"] = as_time(time_of_event)
            if self.target.future is not None:
                call["timestamp"] = self.target.future.within(call["timestamp"], record, self.at)
        elif (time := record_time(record)) is not None:
            call["timestamp"] = time

    def _message_id(self, record: Record, call: dict[str, Any], event_id: str | None, index: int) -> str:
        type_, name = call["type"], call.get("event", "")
        target = self.target
        if event_id is not None:
            return target.ids.for_event(event_id, type_, name, index)
        kind, millis = record.timestamp()
        return target.ids.for_record(
            millis if kind else 0, target.topic, record.partition(), record.offset(), type_, name, index
        )
