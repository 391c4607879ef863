"""The errors in a response's body, redacted for a log line and a dead letter's header."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from worker.adapters.pipelines_api.redaction import MAX_READ_CHARS, Redaction

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ERRORS = 10
"""The limit for one response. A refused batch is split anyway, and the last response is about the bad call alone."""

_MAX_LEVELS = 5
_FIELDS = ("meta", "errors", "error", "message", "detail", "reason", "title", "description")
"""Where texts are found: `{"meta": {"errors": [...]}}` (API reference), and the usual ones of gateways."""

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]+")
_TAG = re.compile(r"<[^<>]*>")


def is_json(text: bytes) -> bool:
    """Whether a body is empty or JSON, as every body of the API is."""
    if text == b"{}" or not text.strip():
        return True
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def errors_in(text: bytes, sent: bytes, secrets: str = "") -> tuple[str, ...]:
    """The errors in a body: at most `MAX_ERRORS`, each redacted and shortened.

    Args:
        text: the body: the API's JSON, other JSON, or the page of a gateway.
        sent: the body of the request, whose values must not be repeated.
        secrets: what must not be repeated either.
    """
    if text == b"{}":
        return ()
    found = list(islice(_texts_of(text), MAX_ERRORS))
    if not found:
        return ()
    redaction = Redaction(sent, secrets)
    return tuple(redaction.redact(error) for error in found)


def _texts_of(text: bytes) -> Iterator[str]:
    try:
        found = _texts(orjson.loads(text), _MAX_LEVELS)
    except ValueError:
        page = text.decode("utf-8", "replace")[: 4 * MAX_READ_CHARS]
        found = iter([_TAG.sub(" ", page)])
    for words in found:
        if plain := _UNPRINTABLE.sub(" ", words).strip():
            yield plain


def _texts(value: Any, levels: int) -> Iterator[str]:
    """Every text in the fields where errors are described."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and levels:
        for item in value:
            yield from _texts(item, levels - 1)
    elif isinstance(value, dict) and levels:
        for name in _FIELDS:
            if name in value:
                yield from _texts(value[name], levels - 1)
