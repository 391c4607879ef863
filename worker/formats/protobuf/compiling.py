"""From a schema as a registry or a file has it to the descriptor set that messages are parsed with."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from worker.formats.protobuf.protoc import compile_file, compile_text
from worker.formats.protobuf.refusals import InvalidSchemaError
from worker.formats.schemas import Schema

TYPE = "PROTOBUF"
"""The word of registries."""


def compiled(schema: Schema) -> Schema:
    """The schema with a descriptor set in place of its text. Takes about 100 ms.

    Raises:
        InvalidSchemaError: it does not compile.
    """
    return Schema(TYPE, descriptor_set(schema))


def compiled_file(path: Path) -> Schema:
    """The schema of a `.proto` file.

    Raises:
        InvalidSchemaError: it does not compile.
    """
    return Schema(TYPE, compile_file(path))


def descriptor_set(schema: Schema) -> bytes:
    """The descriptor set of a schema, whose own file is the last one of the set.

    Raises:
        InvalidSchemaError: it does not compile, or is no Protobuf schema.
    """
    if schema.type not in {TYPE, ""}:  # Apicurio's own API does not say the type
        raise InvalidSchemaError(f"it is of the type {schema.type}, not {TYPE}")
    if isinstance(schema.text, bytes):
        return schema.text
    imports = _imports(schema)
    own = _decoded(schema.text)
    return compile_text(schema.text, imports) if own is None else _of_descriptors(own, imports)


def _imports(schema: Schema) -> dict[str, str]:
    """The text of each file that a schema imports, directly or not, by its name."""
    imports: dict[str, str] = {}
    waiting, seen = [schema], {id(schema)}
    while waiting:
        for reference in waiting.pop().references:
            if id(reference.schema) not in seen:
                seen.add(id(reference.schema))
                waiting.append(reference.schema)
            if isinstance(reference.schema.text, str):
                imports[reference.name] = reference.schema.text
    return imports


def _decoded(text: str) -> FileDescriptorProto | None:
    """A file's descriptor in base64, as some serializers register it; None for a `.proto` file."""
    try:
        return FileDescriptorProto.FromString(b64decode(text, validate=True))
    except (ValueError, DecodeError):  # no `.proto` is base64: each has a blank, a quote or a brace
        return None


def _of_descriptors(own: FileDescriptorProto, imports: dict[str, str]) -> bytes:
    """The set of files of which some are descriptors already; the others are compiled."""
    texts = {}
    files = [own]
    for name, text in imports.items():
        found = _decoded(text)
        if found is None:
            texts[name] = text
        else:
            found.name = name
            files.insert(0, found)
    known = {file.name for file in files}
    needed = sorted({name for file in files for name in file.dependency} - known)
    others = "".join(f"import {json.dumps(name)};" for name in needed)
    compiled_others = FileDescriptorSet.FromString(compile_text(f'syntax = "proto3"; {others}', texts))
    encoded: bytes = FileDescriptorSet(file=[*compiled_others.file[:-1], *files]).SerializeToString()
    return encoded
