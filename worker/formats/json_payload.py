"""The payload of JSON with a schema beside it, found without reading the schema again.

`JsonConverter` with `schemas.enable` writes the whole schema into every record, often several times as long as the
payload. Records of one table have the same schema in the same bytes, so the bytes before the payload are kept and
compared: the rest is the payload and a closing brace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from worker.core.reasons import Rejected
from worker.formats.envelopes.connect import describes_objects
from worker.formats.json_values import INNER_MAY_BE_TOO_DEEP, check_depth
from worker.formats.python_source import PythonSource

_BEGIN = b'{"schema":'
_NEVER = b"\xff"
"""No JSON begins so."""


class _WithSchema(msgspec.Struct):
    schema: msgspec.Raw = msgspec.Raw(b"")
    payload: msgspec.Raw = msgspec.Raw(b"")


_with_schema = msgspec.json.Decoder(_WithSchema).decode
_any = msgspec.json.Decoder().decode


MOST_SCHEMAS = 64
"""How many schemas of a topic are kept in mind; a topic of several tables has one for each."""

Known = tuple[bytes, int, Any]
"""The bytes before a payload, their number, and what is kept of the schema in them."""


class Payloads:
    """Finds the payload in a value of one topic.

    Args:
        types_of: what is kept of a schema, which is None where there is none.
        required: whether a value without a schema is refused, or is its own payload.

    Attributes:
        required: as given.
        known: of the last value that was read whole. Replaced at once, since an interruption may come at any point.
    """

    __slots__ = ("_schemas", "_types_of", "known", "required")

    def __init__(self, types_of: Callable[[Any], Any], *, required: bool) -> None:
        self._types_of = types_of
        self._schemas: dict[bytes, Any] = {}
        self.required = required
        self.known: Known = _NEVER, len(_NEVER), None

    def another(self, _: object = None) -> Payloads:
        """The same for another topic."""
        return Payloads(self._types_of, required=self.required)

    def find(self, value: bytes) -> tuple[bytes, Any]:
        """The payload of a value with another schema than the last one, and what is kept of the schema.

        Raises:
            msgspec.MsgspecError, UnicodeDecodeError, RecursionError: the value is of another form, or is no JSON.
            Rejected: `TOO_DEEP`.
        """
        check_depth(value)
        if not value.isascii():
            value.decode()
        found = _with_schema(value)
        schema, payload = bytes(found.schema), bytes(found.payload)
        if not schema or not payload:
            raise msgspec.ValidationError
        types = self._types(schema)
        prefix = b'%b%b,"payload":' % (_BEGIN, schema)
        if value == b"%b%b}" % (prefix, payload):
            self.known = prefix, len(prefix), types
        return payload, types

    def _types(self, schema: bytes) -> Any:
        if schema in self._schemas:
            return self._schemas[schema]
        described = _any(schema)
        if not _is_of_objects(described):
            raise msgspec.ValidationError
        if len(self._schemas) >= MOST_SCHEMAS:
            self._schemas.clear()
        types = self._schemas[schema] = self._types_of(described)
        return types


def _is_of_objects(schema: Any) -> bool:
    return schema is None or (type(schema) is dict and describes_objects(schema))


def check_inner_depth(payload: bytes) -> None:
    """Refuse a payload that nests so deep that its record may nest too deep.

    Raises:
        msgspec.DecodeError: it does.
    """
    try:
        check_depth(b"[%b]" % payload)
    except Rejected:
        raise msgspec.DecodeError from None


def refuse_wrapped() -> None:
    """Refuse a payload that may be an envelope itself.

    Raises:
        msgspec.ValidationError: always.
    """
    raise msgspec.ValidationError


def emit_payload(code: PythonSource, payloads: Payloads) -> None:
    """Write statements that leave only the payload in the local variable `value`, or raise a `msgspec.MsgspecError`."""
    finder = code.own(payloads.another, "payloads")
    code.lines(f"""
        prefix, length, types = {finder}.known
        if value.startswith(prefix):
            value = value[length:-1]
        """)
    with code.block("else:" if payloads.required else f"elif value.startswith({_BEGIN!r}):"):
        code.line(f"value, types = {finder}.find(value)")
    if payloads.required:  # then the payload has no form of its own by which a second envelope would show
        code.lines(f"""
            if value[1:2] != b'"' or value.startswith(b'{{"schema"'):
                {code.constant(refuse_wrapped)}()
            """)
    else:
        with code.block("else:"):
            code.line("types = None")
    with code.block(f"if {INNER_MAY_BE_TOO_DEEP}:"):
        code.line(f"{code.constant(check_inner_depth)}(value)")
