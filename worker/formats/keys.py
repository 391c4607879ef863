"""The formats of a record's key (`key_format:`), which is decoded only where a rule or mapper reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worker.core.reasons import Rejected, Stage
from worker.formats.envelopes.unwrapped import Envelope
from worker.formats.json_values import decode_any, without_prefix


def _json(key: bytes) -> Any:
    try:
        return decode_any(without_prefix(key) if key[:1] == b"\x00" else key)
    except Rejected as rejected:
        detail = rejected.detail.replace("The value", "The key", 1)
        raise Rejected(rejected.stage, rejected.reason, detail) from None


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise Rejected(Stage.DECODE, "INVALID_UTF8", "The key is not UTF-8 text.") from None


KEY_FORMATS: dict[str, Callable[[bytes], Any]] = {"json": _json, "text": _text}
"""How the bytes of a key are decoded to a JSON value, by the word of `key_format`.

Each raises `Rejected` with stage `decode` for bytes that are not of the format.
"""


def key_format(given: str | None, value_format: str, envelope: Envelope | None) -> str | None:
    """The format of a topic's keys; None for text, where a key that is not UTF-8 counts as none.

    Args:
        given: the one that the mapping names, if any.
        value_format: how values are encoded.
        envelope: what stands around each event.
    """
    if given is None and envelope is not None and envelope.json_keys and value_format == "json":
        return "json"
    return given
