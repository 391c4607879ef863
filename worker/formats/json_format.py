"""The format JSON: `json_values.decode`, and the same as statements of generated functions."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.core.reasons import Rejected
from worker.core.record_reading import NO_HEADERS, RecordHeaders
from worker.formats.json_payload import Payloads, emit_payload
from worker.formats.json_values import (
    MAY_BE_TOO_DEEP,
    SCHEMA_REGISTRY_PREFIX_BYTES,
    UNDECODED,
    check_depth,
    decode,
    decode_any,
    load_object,
)
from worker.formats.python_source import PythonSource


class JsonFormat:
    """A JSON object in UTF-8. A Schema Registry prefix before it is skipped: no JSON begins with a zero byte.

    Args:
        prefix: the length of such a prefix.
        of_key: whether keys are decoded.
    """

    def __init__(self, prefix: int = SCHEMA_REGISTRY_PREFIX_BYTES, *, of_key: bool = False) -> None:
        self._prefix = prefix
        self._of_key = of_key

    def decode(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> dict[str, Any]:
        """See `Format.decode`."""
        del headers
        return decode(value, self._prefix)

    def decode_any(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> Any:
        """See `Format.decode_any`."""
        del headers
        try:
            return decode_any(value[self._prefix :] if value[:1] == b"\x00" else value)
        except Rejected as rejected:
            if not self._of_key:
                raise
            detail = rejected.detail.replace("The value", "The key", 1)
            raise Rejected(rejected.stage, rejected.reason, detail) from None

    def emit(
        self,
        code: PythonSource,
        event: str,
        struct_type: type[msgspec.Struct] | None,
        *,
        otherwise: str | None = None,
        payloads: Payloads | None = None,
    ) -> None:
        """See `Format.emit`. If the fast path fails, `decode` decodes the value again and raises the precise error."""
        loads = load_object if struct_type is None else msgspec.json.Decoder(struct_type).decode
        if otherwise is None:
            code.line("encoded = value")
        with code.block("try:"):
            with code.block("if not value[0]:"):
                code.line(f"value = value[{self._prefix}:]  # of a schema registry")
            if payloads is None:
                with code.block(f"if {MAY_BE_TOO_DEEP}:"):
                    code.line(f"{code.constant(check_depth, 'check_depth')}(value)")
            else:
                emit_payload(code, payloads)
            if struct_type is not None:
                with code.block("if not value.isascii():"):
                    code.line("value.decode()  # msgspec does not check the UTF-8 of fields that it skips")
            code.line(f"{event} = {code.constant(loads, 'loads')}(value)")
        with code.block(f"except {code.constant(UNDECODED, 'undecoded')}:"):
            if otherwise is not None:
                code.line(f"{event} = {otherwise}")
                return
            whole = f"{code.constant(self.decode, 'decode')}(encoded)"
            if struct_type is not None:
                convert, made = (
                    code.constant(msgspec.convert, "convert"),
                    code.constant(struct_type, "struct"),
                )
                whole = f"{convert}({whole}, {made})"
            code.line(f"{event} = {whole}")
