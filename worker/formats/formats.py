"""Every format by the word that mapping files use for it (`format:`, `key_format:`)."""

from __future__ import annotations

from collections.abc import Callable

from worker.formats import protobuf
from worker.formats.encoding import AVRO, JSON, PREFIX8, PROTOBUF, TEXT, Encoding
from worker.formats.format import Format
from worker.formats.json_format import JsonFormat
from worker.formats.schema_ids import PREFIX8_BYTES, PREFIX_BYTES
from worker.formats.schemas import Schemas
from worker.formats.text_format import TextFormat
from worker.formats.with_schema import SchemaFormat


class MissingExtraError(Exception):
    """A format needs a library that is not installed.

    Attributes:
        extra: the extra of this distribution that installs it.
    """

    def __init__(self, extra: str) -> None:
        super().__init__(f"the extra '{extra}' is not installed")
        self.extra = extra


def _json(encoding: Encoding, _schemas: Schemas) -> Format:
    prefix = PREFIX8_BYTES if encoding.schema_id == PREFIX8 else PREFIX_BYTES
    return JsonFormat(prefix, of_key=encoding.of_key)


def _avro(encoding: Encoding, schemas: Schemas) -> Format:
    try:
        from worker.formats.avro.codec import AvroCodec  # noqa: PLC0415 - needs the extra
    except ImportError:
        raise MissingExtraError(AVRO) from None
    return SchemaFormat(AvroCodec(), encoding, schemas)


def _protobuf(encoding: Encoding, schemas: Schemas) -> Format:
    if not protobuf.is_installed():
        raise MissingExtraError(PROTOBUF)
    from worker.formats.protobuf.codec import ProtobufCodec  # noqa: PLC0415 - needs the extra

    return SchemaFormat(ProtobufCodec(encoding), encoding, schemas)


def _text(encoding: Encoding, _schemas: Schemas) -> Format:
    return TextFormat(of_key=encoding.of_key)


FORMATS: dict[str, Callable[[Encoding, Schemas], Format]] = {
    JSON: _json,
    AVRO: _avro,
    PROTOBUF: _protobuf,
    TEXT: _text,
}
"""Makes the format of one mapping file, by its word."""


def format_of(encoding: Encoding, schemas: Schemas | None = None) -> Format:
    """The format of values or keys that are encoded so.

    Args:
        encoding: what the mapping file says of them.
        schemas: those that were fetched from the registry.

    Raises:
        MissingExtraError: its library is not installed.
    """
    return FORMATS[encoding.format](encoding, Schemas() if schemas is None else schemas)
