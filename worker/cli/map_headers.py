"""The headers that `map --header` gives to events."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

import typer

_CONFLUENT = frozenset({"__value_schema_id", "__key_schema_id"})
_APICURIO = frozenset(
    f"apicurio.{of}.{kind}" for of in ("value", "key") for kind in ("contentId", "globalId")
)
_HEX = re.compile(r"0x((?:[0-9a-fA-F]{2})+)")
_MOST = {True: 2**32, False: 2**63}


def headers_of(options: Iterable[str]) -> list[tuple[str, bytes | None]]:
    """Headers from `NAME=VALUE`: text, and in the headers of schema ids the bytes of an id.

    Raises:
        BadParameter: there is no name, or no id.
    """
    headers: list[tuple[str, bytes | None]] = []
    for option in options:
        name, equals, value = option.partition("=")
        if not name or not equals:
            raise typer.BadParameter("a header is NAME=VALUE", param_hint="--header")
        of_id = name in _CONFLUENT or name in _APICURIO
        headers.append((name, _id(name, value) if of_id else value.encode()))
    return headers


def _id(name: str, value: str) -> bytes:
    """A schema's id as serializers write it in this header: from a number, a GUID, or the bytes in hexadecimal."""
    if found := _HEX.fullmatch(value):
        return bytes.fromhex(found[1])
    confluent = name in _CONFLUENT
    if value.isascii() and value.isdigit() and int(value) < _MOST[confluent]:
        return b"\x00" + int(value).to_bytes(4) if confluent else int(value).to_bytes(8)
    if confluent:
        try:
            return b"\x01" + uuid.UUID(value).bytes
        except ValueError:
            pass
    guid = ", a GUID" if confluent else ""
    raise typer.BadParameter(f"{name} is a number{guid}, or 0x and bytes", param_hint="--header")
