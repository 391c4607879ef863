"""What a mapping file says, once it has been read: the words that reader, checks and compiler share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from worker.documents.document import Document, Path
from worker.mapping.calls.specs import CallSpec
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.schema import mapping_schema

Value = Expression | dict[str, Any] | list[Any] | int | float | bool | None
"""What a mapping file gives for a field: an expression, or a structure with expressions at its leaves.

A text in a mapping file is always an expression, so no value is a str.
"""


@dataclass(frozen=True, slots=True)
class CallRule:
    """One call that a rule makes.

    Attributes:
        spec: what the call takes and where it goes.
        path: where it stands in the file.
        event: the literal event name of a `track`.
        event_from: the expression that finds it instead.
        fields: what the file gives for each field of the spec, except `event`.
    """

    spec: CallSpec
    path: Path
    event: str | None = None
    event_from: Expression | None = None
    fields: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. It has either calls or a mapper.

    Attributes:
        at: `file:line`, which dead letters name.
        path: where it stands in the file.
        when: the condition; None matches everything but tombstones.
        calls: in the order in which they are sent.
        mapper: a Python function's `module:function`, or an entry point's name.
        allow: the calls that the mapper may make beyond the harmless ones.
        send_nulls: whether a property or trait whose expression finds nothing is sent as null, or left out.
    """

    at: str
    path: Path
    when: Expression | None = None
    calls: tuple[CallRule, ...] = ()
    mapper: str | None = None
    allow: frozenset[str] = frozenset()
    send_nulls: bool = False


@dataclass(frozen=True, slots=True)
class MappingFile:
    """One mapping file.

    Attributes:
        document: the file's own values, for positions.
        topics: exact names, and patterns `^...$`.
        rules: in order; the first that matches an event handles it.
        reject_unmatched: whether an event that no rule matches is dead-lettered, or ignored.
        reject_ids: casefolded texts that are no one's id.
        format: how values are encoded: a key of `worker.formats.formats.FORMATS`.
    """

    document: Document
    topics: tuple[str, ...]
    rules: tuple[Rule, ...]
    reject_unmatched: bool = False
    reject_ids: frozenset[str] = REJECT_IDS
    format: str = "json"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a mapping file, with descriptions and examples, for editors."""
    return mapping_schema()
