"""Fields that calls have unless they give their own.

The fields beside `calls` of a rule win over `defaults` of the file, and those over what the file's envelope gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.documents.document import Path
from worker.formats.envelopes.unwrapped import Envelope
from worker.mapping.calls.specs import CALLS, CallSpec, Field
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.names import Names
from worker.mapping.files.rules import OF_ENVELOPE, Value
from worker.mapping.files.value_reader import ValueReader

FIELDS: dict[str, Field] = {
    name: each for spec in CALLS.values() for name, each in spec.fields.items() if name != "event"
}
"""The fields that can have a default. A field of two calls is of the same kind in both."""

TIME = "timestamp"
"""The field whose null is a value: the call is sent without it."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The fields that are given so far, for all calls below.

    Attributes:
        given: each field's place and value; of `timestamp` None, which leaves it out.
    """

    given: dict[str, tuple[Path, Value]] = field(default_factory=dict)

    def read(self, own: dict[str, Any], path: Path, values: ValueReader) -> Defaults:
        """These with a mapping's own fields, which win. Null takes a field away.

        Args:
            own: the fields that the mapping gives, as the file has them.
            path: the mapping's.
            values: reads their expressions.
        """
        given = dict(self.given)
        for name, value in own.items():
            at = (*path, name)
            if value is None and name in given and name != TIME:
                del given[name]
            elif value is None and name == TIME:
                given[name] = at, None
            else:
                given[name] = at, values.field(FIELDS[name], value, at)
        return Defaults(given)

    def of(self, spec: CallSpec, path: Path) -> tuple[dict[str, Value], dict[str, Path]]:
        """The fields of one call, and the places of those that are not its own."""
        given = {name: found for name, found in self.given.items() if name in spec.fields}
        elsewhere = {name: at for name, (at, _) in given.items() if at != (*path, name)}
        return {name: value for name, (_, value) in given.items()}, elsewhere


def envelope_defaults(envelope: Envelope | None) -> Defaults:
    """The fields that the file's envelope gives."""
    given = envelope.defaults.items() if envelope else ()
    names = Names(root=envelope.root if envelope else None)
    return Defaults({name: (OF_ENVELOPE, Expression.parse(text, names)) for name, text in given})


def file_defaults(given: Any, path: Path, values: ValueReader, beneath: Defaults) -> Defaults:
    """Read `defaults` of a file, which win over those beneath, and report what has none."""
    if not isinstance(given, dict):
        values.report("`defaults` must be fields of calls", path, hint="{userId: customer.id}")
        return beneath
    for name in given:
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS) or f"it takes {', '.join(FIELDS)}"
            said = f"`{name}` has no default" if name in _WITHOUT else f"calls have no field '{name}'"
            hint = "each rule or call has its own" if name in _WITHOUT else hint
            values.report(said, (*path, name), key=True, hint=hint)
    return beneath.read({name: value for name, value in given.items() if name in FIELDS}, path, values)


_WITHOUT = frozenset(
    {"call", "event", "event_from", "when", "for_each", "mapper", "ignore", "allow", "allow_overrides"}
)
