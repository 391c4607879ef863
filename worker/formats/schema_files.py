"""Schemas from files that a mapping names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from worker.documents.files import read_file
from worker.documents.problems import ConfigError, Problem
from worker.formats import protobuf
from worker.formats.encoding import AVRO, PROTOBUF
from worker.formats.schemas import Schema


def _avro(content: bytes, path: Path) -> Schema:
    try:
        return Schema("AVRO", content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError([Problem("not UTF-8", str(path))]) from None


def _proto(_content: bytes, path: Path) -> Schema:
    if not protobuf.is_installed():  # which `format_of` reports
        return Schema("PROTOBUF", b"")
    from worker.formats.protobuf.compiling import compiled_file  # noqa: PLC0415 - needs the extra
    from worker.formats.protobuf.refusals import InvalidSchemaError  # noqa: PLC0415

    try:
        return compiled_file(path)
    except (InvalidSchemaError, OSError) as error:
        raise ConfigError([Problem(str(error), str(path))]) from None


def _descriptor_set(content: bytes, _path: Path) -> Schema:
    return Schema("PROTOBUF", content)


SCHEMA_FILES: dict[str, dict[str, Callable[[bytes, Path], Schema]]] = {
    AVRO: {".avsc": _avro},
    PROTOBUF: {".proto": _proto, ".desc": _descriptor_set},
}
"""For each format, how a file is read, by how its name ends."""


def read_schema(path: Path, format_: str) -> Schema:
    """Read a schema's file.

    Args:
        path: the file.
        format_: the word of a format that needs schemas.

    Raises:
        ConfigError: it is not there, or no such file.
    """
    readers = SCHEMA_FILES[format_]
    read = readers.get(path.suffix.lower())
    if read is None:
        kinds = " or ".join(f"a {suffix} file" for suffix in readers)
        raise ConfigError([Problem(f"a schema of `format: {format_}` is {kinds}", str(path))])
    return read(read_file(path), path)
