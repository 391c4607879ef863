"""The events that `map` reads from a file or from standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

if TYPE_CHECKING:
    from worker.core.records import Record

STANDARD_INPUT = "-"

_decode = msgspec.json.Decoder().decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_values(file: str | None, *, raw: bool = False) -> Iterator[bytes]:
    """The values of a file's events; of standard input without a file, or for `-`.

    If the first line that is not blank is a complete JSON value and no array, each line is an event, and is read when
    it is asked for. Else the whole input is one document, or an array of events; if it is neither, each line is an
    event.

    Args:
        file: its name.
        raw: whether the whole input is the bytes of one value.
    """
    with sys.stdin.buffer if file in {None, STANDARD_INPUT} else Path(str(file)).open("rb") as source:
        if raw:
            yield source.read()
        else:
            yield from _values(source)


def _values(source: BinaryIO) -> Iterator[bytes]:
    lines = (content for line in source if (content := line.strip()))
    first = next(lines, None)
    if first is None:
        return
    if not first.startswith(b"[") and _is_json(first):
        yield from chain([first], lines)
        return
    # Line ends inside texts are no JSON, so joining stripped lines changes no document.
    rest = list(lines)
    whole = b"\n".join([first, *rest])
    if whole.startswith(b"["):
        try:
            items = _items(whole)
        except _NOT_JSON:
            pass
        else:
            yield from (bytes(item).strip() for item in items)
            return
    elif _is_json(whole):
        yield whole
        return
    yield from [first, *rest]


def _is_json(text: bytes) -> bool:
    try:
        _decode(text)
    except _NOT_JSON:
        return False
    return True


def records_of(
    values: Iterable[bytes],
    topic: str,
    key: str | None,
    headers: list[tuple[str, bytes | None]],
    *,
    raw: bool = False,
) -> Iterator[Record]:
    """The values as records, as if they were produced now, one after the other; `null` is a tombstone."""
    from time import time

    from worker.mapping.trying.preview import PreviewRecord

    key_bytes = key.encode() if key is not None else None
    for offset, value in enumerate(values):
        given = None if value == b"null" and not raw else value
        yield PreviewRecord(topic, given, key_bytes, headers, int(time() * 1000), (0, offset))
