"""Protobuf: schemas, and messages as JSON values.

`protoc` compiles `.proto` text, `schemas` finds the message of a record in a schema, `framing` reads what stands before
a message. `values` turns a message into JSON values field by field, `well_known` the types that have a form of their
own; `generated` writes the same as Python source, for the fields that rules use. `codec` puts them together.

All but this module need the extra `protobuf`.
"""

from __future__ import annotations

from importlib.util import find_spec


def is_installed() -> bool:
    """Whether the libraries of the extra are there."""
    try:
        return all(find_spec(name) is not None for name in ("google.protobuf", "google.type", "grpc_tools"))
    except (ModuleNotFoundError, ValueError):  # without `google`; or blocked by a test
        return False
