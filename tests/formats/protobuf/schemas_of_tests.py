"""Schemas and values of the tests of Protobuf."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from worker.formats.protobuf.protoc import compile_text
from worker.formats.protobuf.schemas import ProtobufSchema

IMPORTS = "".join(
    f'import "{name}.proto";\n'
    for name in (
        *(f"google/protobuf/{name}" for name in ("any", "duration", "struct", "timestamp", "wrappers")),
        *(f"google/type/{name}" for name in ("date", "datetime", "decimal", "timeofday")),
        "confluent/type/decimal",
    )
)


@lru_cache
def schema(text: str, *, proto2: bool = False) -> ProtobufSchema:
    """A schema with messages of the package `p`; everything that tests use is imported."""
    syntax = "proto2" if proto2 else "proto3"
    return ProtobufSchema(compile_text(f'syntax = "{syntax}"; package p;\n{IMPORTS}{text}', {}))


def message_class(text: str, *, proto2: bool = False) -> Any:
    """The class of the message `p.M`."""
    return GetMessageClass(schema(text, proto2=proto2).named("p.M"))
