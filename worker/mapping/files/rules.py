"""The contents of a mapping file, as reader, checks and compiler share them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from worker.documents.document import Document, Path
from worker.formats.encodings import Encodings
from worker.formats.envelopes.unwrapped import Envelope
from worker.formats.format import Format
from worker.mapping.calls.specs import CallSpec
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.schema import mapping_schema

Value = Expression | dict[str, Any] | list[Any] | int | float | bool | None
"""The value of a field in a mapping file: an expression, or a structure with expressions inside.

Text in a mapping file is always an expression, so no value is a str.
"""


OF_ENVELOPE: Path = ("envelope",)
"""The place of a field that the file's envelope gives."""


@dataclass(frozen=True, slots=True)
class CallRule:
    """One call that a rule makes.

    Attributes:
        spec: the call's fields and where they go.
        path: its place in the file.
        event: the literal event name of a `track`.
        event_from: the expression for the event name, in place of a literal one.
        for_each: the expression for the list for whose items the call is made; None for a call that is made once.
        fields: the file's value for each field of the spec, except `event`; of `timestamp` None, which leaves it out.
        defaults: the places of the fields that are not the call's own.
        allow: what the rule allows, see `customerio.meaning`.
    """

    spec: CallSpec
    path: Path
    event: str | None = None
    event_from: Expression | None = None
    for_each: Expression | None = None
    fields: dict[str, Value] = field(default_factory=dict)
    defaults: dict[str, Path] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()

    @property
    def leaves_time_out(self) -> bool:
        """Whether the file says `timestamp: null`."""
        return "timestamp" in self.fields and self.fields["timestamp"] is None

    @property
    def of_envelope(self) -> frozenset[str]:
        """The fields that the file does not give and its envelope does."""
        return frozenset(name for name, at in self.defaults.items() if at == OF_ENVELOPE)

    def at(self, path: Path) -> Path:
        """Where a value stands in the file, from its path in the call."""
        name, *rest = path
        return (*self.defaults.get(str(name), (*self.path, name)), *rest)

    def values(self) -> Iterator[tuple[Path, Value]]:
        """Every value but objects and lists, at any depth, with its path in the call: `("properties", "total")`."""
        if self.for_each is not None:
            yield ("for_each",), self.for_each
        if self.event_from is not None:
            yield ("event_from",), self.event_from
        for name in self.spec.fields:
            if name in self.fields:
                yield from _leaves((name,), self.fields[name])

    def expressions(self) -> Iterator[tuple[Path, Expression]]:
        """The expressions among `values`."""
        return ((path, value) for path, value in self.values() if isinstance(value, Expression))


def written_keys(value: Value) -> tuple[str, ...] | None:
    """The keys that the file itself gives an object, as YAML or as `{a: x, b: y}`; None if they come with the data."""
    if isinstance(value, Expression) and value.node["type"] == "multi_select_dict":
        return tuple(pair["value"] for pair in value.node["children"])
    return tuple(value) if isinstance(value, dict) else None


def _leaves(path: Path, value: Value) -> Iterator[tuple[Path, Value]]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _leaves((*path, key), item)
        case list():
            for index, item in enumerate(value):
                yield from _leaves((*path, index), item)
        case _:
            yield path, value


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, which has calls or a mapper, or ignores its events.

    Attributes:
        at: `file:line`, which dead letters name.
        path: its place in the file.
        when: the condition; None matches everything but tombstones.
        lets: the expressions that its own `let` names.
        ignores: whether events that match are not for Customer.io.
        calls: in the order in which they are sent.
        mapper: a Python function as `module:function`, or an entry point's name.
        allow: what the mapper may do, see `customerio.meaning`.
        send_nulls: whether properties and traits whose expressions find nothing are sent as null, or left out.
    """

    at: str
    path: Path
    when: Expression | None = None
    lets: dict[str, Expression] = field(default_factory=dict)
    ignores: bool = False
    calls: tuple[CallRule, ...] = ()
    mapper: str | None = None
    allow: frozenset[str] = frozenset()
    send_nulls: bool = False

    @property
    def without_call(self) -> str:
        """Why a record that it handles may become no call."""
        if self.ignores:
            return f"ignored by {self.at}"
        return "the mapper returned nothing" if self.mapper else "for_each found no items"


@dataclass(frozen=True, slots=True)
class MappingFile:
    """One mapping file.

    Attributes:
        document: the file's values, with their positions.
        topics: exact names, and patterns `^...$`.
        rules: in order; the first that matches an event handles it.
        reject_unmatched: whether an event that no rule matches is dead-lettered, or ignored.
        reject_ids: casefolded strings that are never real ids.
        encodings: how values and keys are encoded.
        envelope: what stands around each event; None for nothing.
        lets: the expressions that the file's `let` names.
    """

    document: Document
    topics: tuple[str, ...]
    rules: tuple[Rule, ...]
    reject_unmatched: bool = False
    reject_ids: frozenset[str] = REJECT_IDS
    encodings: Encodings = field(default_factory=Encodings)
    envelope: Envelope | None = None
    lets: dict[str, Expression] = field(default_factory=dict)

    @property
    def values(self) -> Format:
        """The format of values."""
        return self.encodings.values

    @property
    def keys(self) -> Format | None:
        """The format of keys; None for text, where a key that is not UTF-8 counts as none."""
        return self.encodings.keys

    def taking_json(self) -> MappingFile:
        """The same file for events that people wrote: as JSON, before the envelope."""
        return replace(self, encodings=self.encodings.written())


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a mapping file, with descriptions and examples, for editors."""
    return mapping_schema()
