"""Where a record says which schema it was written with: in a header, or in a prefix of its value or key."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import NamedTuple

from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import RecordHeaders
from worker.formats.encoding import AUTO, CONTENT, NONE, PREFIX8, Encoding
from worker.formats.schemas import IdKind, SchemaId

PREFIX_BYTES = 5
"""A zero byte and a schema id of four bytes (Confluent's wire format)."""

PREFIX8_BYTES = 9
"""A zero byte and a schema id of eight bytes (Apicurio's own)."""

_MAGIC, _MAGIC_GUID = 0, 1
_GUID_BYTES = 16
_ID8_BYTES = 8


class Frame(NamedTuple):
    """What stands around the data of a value or key.

    Attributes:
        id: the schema's; None where it has none, because the mapping names a schema's file.
        start: where the data begins.
        rest: what the headers say of a Protobuf message: its index, after the id; its name, beside one of Apicurio.
        in_header: whether the id is in a header.
    """

    id: SchemaId | None
    start: int
    rest: bytes = b""
    in_header: bool = False


class SchemaIds:
    """Finds the schema ids of values, or of keys.

    Args:
        encoding: says where they are.
        reason: of the rejection of a record that has none.

    Attributes:
        prefix: the length of the prefix that tells the frame where no header does; 0 where nothing tells it.
        reads_headers: whether headers are looked at first.
    """

    def __init__(self, encoding: Encoding, reason: str) -> None:
        self._encoding = encoding
        self._reason = reason
        self.reads_headers = encoding.schema_id == AUTO and encoding.schema is None
        self.prefix = {NONE: 0, PREFIX8: PREFIX8_BYTES}.get(encoding.schema_id, PREFIX_BYTES)
        if encoding.schema is not None and encoding.schema_id == AUTO:
            self.prefix = 0
        of = "key" if encoding.of_key else "value"
        self.headers: Mapping[str, Callable[[str, dict[str, bytes]], Frame]] = {
            f"__{of}_schema_id": self._in_confluent_header,
            f"apicurio.{of}.contentId": self._in_apicurio_header(IdKind.CONTENT),
            f"apicurio.{of}.globalId": self._in_apicurio_header(IdKind.GLOBAL),
        }
        self._message_header = f"apicurio.protobuf.type{'.key' if encoding.of_key else ''}"
        self._what = "The key" if encoding.of_key else "The value"

    def find(self, data: bytes, headers: RecordHeaders) -> Frame:
        """The frame of a value or key.

        Raises:
            Rejected: it has none.
        """
        if headers and self.reads_headers:
            named = {name: value for name, value in headers if value is not None}
            for name, read in self.headers.items():
                if name in named:
                    return read(name, named)
        return self._in_prefix(data)

    def _in_prefix(self, data: bytes) -> Frame:
        if not self.prefix:
            return Frame(None, 0)
        if len(data) < self.prefix or data[0] != _MAGIC:
            size = self.prefix - 1
            raise self._refused(
                f"{self._what} does not begin with a zero byte and a schema id of {size} bytes."
            )
        if self._encoding.schema is not None:
            return Frame(None, self.prefix)
        number = int.from_bytes(data[1 : self.prefix])
        return Frame(SchemaId(self._kind(), number), self.prefix)

    def _kind(self) -> IdKind:
        if self.prefix == PREFIX_BYTES:
            return IdKind.CONFLUENT
        return IdKind.CONTENT if self._encoding.apicurio_id == CONTENT else IdKind.GLOBAL

    def _in_confluent_header(self, name: str, headers: dict[str, bytes]) -> Frame:
        found = headers[name]
        if found[:1] == bytes([_MAGIC]) and len(found) >= PREFIX_BYTES:
            number = int.from_bytes(found[1:PREFIX_BYTES])
            return Frame(SchemaId(IdKind.CONFLUENT, number), 0, found[PREFIX_BYTES:], in_header=True)
        end = 1 + _GUID_BYTES
        if found[:1] == bytes([_MAGIC_GUID]) and len(found) >= end:
            guid = str(uuid.UUID(bytes=found[1:end]))
            return Frame(SchemaId(IdKind.GUID, guid), 0, found[end:], in_header=True)
        expected = "expected 0x00 and an id of 4 bytes, or 0x01 and a GUID"
        raise self._refused(f"The header {name} holds no schema id: {expected}.")

    def _in_apicurio_header(self, kind: IdKind) -> Callable[[str, dict[str, bytes]], Frame]:
        def read(name: str, headers: dict[str, bytes]) -> Frame:
            found = headers[name]
            if len(found) != _ID8_BYTES:
                raise self._refused(f"The header {name} holds no schema id: expected 8 bytes.")
            message = headers.get(self._message_header, b"")
            return Frame(SchemaId(kind, int.from_bytes(found)), 0, message, in_header=True)

        return read

    def _refused(self, detail: str) -> Rejected:
        return Rejected(Stage.DECODE, self._reason, detail)
