"""What the envelope of a topic's records changes in a draft."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.core.reasons import Rejected
from worker.core.record_reading import RecordHeaders
from worker.formats.envelopes.envelopes import NONE, envelope_of
from worker.formats.envelopes.recognition import recognised
from worker.formats.json_values import decode_any
from worker.mapping.drafting.sample import FieldPath, Sample
from worker.mapping.kafka_fields import as_text

OP: FieldPath = ("_change", "op")
CE_TYPE: FieldPath = ("_ce", "type")
CHANGES = {"create": "Created", "update": "Updated", "read": "Read", "delete": "Deleted"}
"""The ends of names of events, by `_change.op`."""

_HEADER = ("_kafka", "headers")
_KEPT: dict[str, tuple[FieldPath, ...]] = {
    "debezium": (("op",), ("source", "snapshot")),
    "cloudevents": (
        ("specversion",),
        ("datacontenttype",),
        (*_HEADER, "ce_specversion"),
        (*_HEADER, "ce_datacontenttype"),
        (*_HEADER, "content-type"),
    ),
}
"""What makes an envelope one: without these a fixture would be another kind of record."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record with a decoded value.

    Attributes:
        value: None for a tombstone.
        key: of the record.
        headers: of the record.
    """

    value: dict[str, Any] | None
    key: bytes | None
    headers: RecordHeaders


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The envelope of a topic.

    Attributes:
        word: for `envelope:`.
        head: lines for the mapping file's own keys.
        key_field: the only field of the keys, where keys are objects.
    """

    word: str = NONE
    head: list[str] = field(default_factory=list)
    key_field: str | None = None

    def kept(self, kind: FieldPath | None) -> frozenset[FieldPath]:
        """The paths in a value with its envelope whose values stand in fixtures as they are.

        Args:
            kind: the field that tells kinds apart, as rules name it.
        """
        kept = set(_KEPT.get(self.word, ()))
        if kind == CE_TYPE:
            kept |= {("type",), (*_HEADER, "ce_type")}
        elif kind is not None and kind != OP:
            kept |= {kind, ("data", *kind)}
        return frozenset(kept | {("payload", *path) for path in kept if path[0] != "_kafka"})


def unwrapped(records: Sequence[Decoded]) -> tuple[list[Sample], Wrapping, list[Rejected]]:
    """The samples of a topic without their envelope, the envelope, and why records are left out."""
    found = recognised((record.value, record.headers) for record in records)
    if found.word == NONE:
        return [_sample(record, record.value or {}) for record in records], Wrapping(), []
    head = [f"envelope: {found.word}"]
    if not found.is_certain:
        others = found.samples - found.having
        head.append(f"# check: {others:,} of the records are in no such envelope, and would be dead letters")
    samples, rejected, snapshots = _without_envelope(records, found.word, send_snapshots=False)
    if snapshots and not any(sample.event for sample in samples):
        samples, rejected, _ = _without_envelope(records, found.word, send_snapshots=True)
        head.append(
            "snapshot: send  # check: all records are of a snapshot; this sends one call for each row of the table"
        )
    elif snapshots:
        head.append(
            f"# check: {snapshots:,} of the records are of a snapshot; `snapshot: send` maps them too"
        )
    names = {name for sample in samples for name in sample.key_object or ()}
    return samples, Wrapping(found.word, head, names.pop() if len(names) == 1 else None), rejected


def _without_envelope(
    records: Iterable[Decoded], word: str, *, send_snapshots: bool
) -> tuple[list[Sample], list[Rejected], int]:
    """The samples, why records are left out, and how many snapshot records were ignored."""
    envelope = envelope_of(word, send_snapshots=send_snapshots)
    assert envelope is not None
    samples: list[Sample] = []
    rejected: list[Rejected] = []
    snapshots = 0
    for record in records:
        if record.value is None:
            samples.append(_sample(record, {}))
            continue
        try:
            inner = envelope.unwrap(record.value, record.headers)
        except Rejected as rejection:
            rejected.append(rejection)
            continue
        snapshots += inner.ignored == "snapshot"
        if inner.tombstone or not inner.ignored:
            about = {} if envelope.root is None else {envelope.root: inner.about}
            samples.append(_sample(record, inner.event, about, json_key=envelope.json_keys))
    return samples, rejected, snapshots


def _sample(
    record: Decoded, event: dict[str, Any], about: dict[str, Any] | None = None, *, json_key: bool = False
) -> Sample:
    headers = {name: text for name, each in record.headers if (text := as_text(each)) is not None}
    key = _object(record.key) if json_key else None
    value = None if record.value is None else _simplified(record.value, event)
    return Sample(event, value, None if key else as_text(record.key), headers, about or {}, key)


def _simplified(value: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """A value as a fixture shows it: without a schema of Kafka Connect, and data as JSON instead of base64."""
    if value.keys() == {"schema", "payload"}:
        return {"schema": None, "payload": value["payload"]}
    if "data_base64" in value and "specversion" in value:
        return {**{name: each for name, each in value.items() if name != "data_base64"}, "data": event}
    return value


def _object(key: bytes | None) -> dict[str, Any] | None:
    """A key that is an object, without the schema beside it; None for any other."""
    try:
        found = None if key is None else decode_any(key)
    except Rejected:
        return None
    if isinstance(found, dict) and found.keys() == {"schema", "payload"}:
        found = found["payload"]
    return found if isinstance(found, dict) and found else None
