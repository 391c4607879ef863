"""The format of text: the event is `{"text": ...}`."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import NO_HEADERS, RecordHeaders
from worker.formats.json_payload import Payloads
from worker.formats.python_source import PythonSource


class TextFormat:
    """UTF-8 text of any content. Implements `Format`.

    Args:
        of_key: whether keys are decoded, which are the text itself.
    """

    def __init__(self, *, of_key: bool = False) -> None:
        self._what = "The key" if of_key else "The value"

    def decode(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> dict[str, Any]:
        """See `Format.decode`."""
        return {"text": self.decode_any(value, headers)}

    def decode_any(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> str:
        """See `Format.decode_any`."""
        del headers
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Rejected(Stage.DECODE, "INVALID_UTF8", f"{self._what} is not UTF-8 text.") from None

    def emit(
        self,
        code: PythonSource,
        event: str,
        struct_type: type[msgspec.Struct] | None,
        *,
        otherwise: str | None = None,
        payloads: Payloads | None = None,
    ) -> None:
        """See `Format.emit`."""
        if payloads is not None:  # only JSON has them
            code.line("types = None")
        if otherwise is not None:  # an envelope of text is unusual enough to be treated with care
            code.line(f"{event} = {otherwise}")
            return
        code.line(f"text = {code.constant(self.decode_any, 'text_of')}(value)")
        if struct_type is None:
            code.line(f"{event} = {{'text': text}}")
            return
        made = code.constant(struct_type, "struct")
        attributes = [
            f"{each.name}=text" for each in msgspec.structs.fields(struct_type) if each.encode_name == "text"
        ]
        code.line(f"{event} = {made}({', '.join(attributes)})")
