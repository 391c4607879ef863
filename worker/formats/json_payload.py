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
from worker.formats.source_writer import SourceWriter

_BEGIN = b'{"schema":'
_NEVER = b"\xff"
"""No JSON begins so."""


class _WithSchema(msgspec.Struct):
    schema: msgspec.Raw = msgspec.Raw(b"")
    payload: msgspec.Raw = msgspec.Raw(b"")


_with_schema = msgspec.json.Decoder(_WithSchema).decode
_any = msgspec.json.Decoder().decode


class Payloads:
    """Finds the payload in a value.

    Args:
        types_of: what is kept of a schema, which is None where there is none.
        required: whether a value without a schema is refused, or is its own payload.

    Attributes:
        required: as given.
        types: what `types_of` returned for the last schema.
        prefix: the bytes before the payload in the last value that was read whole.
        length: their number.
    """

    __slots__ = ("_types_of", "length", "prefix", "required", "types")

    def __init__(self, types_of: Callable[[Any], Any], *, required: bool) -> None:
        self._types_of = types_of
        self.required = required
        self.types: Any = None
        self.prefix = _NEVER
        self.length = len(_NEVER)

    def find(self, value: bytes) -> bytes:
        """The payload of a value with another schema than the last one.

        Raises:
            msgspec.MsgspecError, UnicodeDecodeError, RecursionError: the value is of another form, or is no JSON.
            Rejected: `TOO_DEEP`.
        """
        check_depth(value)
        if not value.isascii():
            value.decode()
        found = _with_schema(value)
        schema, payload = bytes(found.schema), bytes(found.payload)
        described = _any(schema) if schema else 0
        if not payload or not _is_of_objects(described):
            raise msgspec.ValidationError
        self.types = self._types_of(described)
        prefix = b'%b%b,"payload":' % (_BEGIN, schema)
        is_usual = value == b"%b%b}" % (prefix, payload)
        self.prefix, self.length = (prefix, len(prefix)) if is_usual else (_NEVER, len(_NEVER))
        return payload


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


def emit_payload(code: SourceWriter, payloads: Payloads) -> None:
    """Write statements that leave only the payload in the local variable `value`, or raise a `msgspec.MsgspecError`."""
    finder = code.constant(payloads, "payloads")
    with code.block(f"if value.startswith({finder}.prefix):"):
        code.line(f"value, types = value[{finder}.length:-1], {finder}.types")
    with code.block("else:" if payloads.required else f"elif value.startswith({_BEGIN!r}):"):
        code.line(f"value = {finder}.find(value)")
        code.line(f"types = {finder}.types")
    if payloads.required:  # then the payload has no form of its own by which a second envelope would show
        with code.block("if value[1:2] != b'\"' or value.startswith(b'{\"schema\"'):"):
            code.line(f"{code.constant(refuse_wrapped, 'refuse_wrapped')}()")
    else:
        with code.block("else:"):
            code.line("types = None")
    with code.block(f"if {INNER_MAY_BE_TOO_DEEP}:"):
        code.line(f"{code.constant(check_inner_depth, 'check_inner_depth')}(value)")
