"""The format JSON: `json_values.decode`, and the same as statements of generated functions."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.formats.json_payload import Payloads, emit_payload
from worker.formats.json_values import (
    MAY_BE_TOO_DEEP,
    UNDECODED,
    check_depth,
    decode,
    load_object,
    without_prefix,
)
from worker.formats.source_writer import SourceWriter


class JsonFormat:
    """A JSON object in UTF-8. A Schema Registry prefix before it is skipped."""

    def decode(self, value: bytes) -> dict[str, Any]:
        """See `Format.decode`."""
        return decode(value)

    def emit(
        self,
        code: SourceWriter,
        event: str,
        struct_type: type | None,
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
                code.line(f"value = {code.constant(without_prefix, 'without_prefix')}(value)")
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
            whole = f"{code.constant(decode, 'decode')}(encoded)"
            if struct_type is not None:
                convert, made = (
                    code.constant(msgspec.convert, "convert"),
                    code.constant(struct_type, "struct"),
                )
                whole = f"{convert}({whole}, {made})"
            code.line(f"{event} = {whole}")
