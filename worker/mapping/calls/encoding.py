"""Encodes calls as the exact UTF-8 JSON that is sent."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

import orjson

from worker.core.reasons import Rejected, Stage
from worker.customerio.limits import MAX_CALL_BYTES
from worker.mapping.calls.validation import FIELDS

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def encode(call: Mapping[str, Any], max_bytes: int = MAX_CALL_BYTES) -> bytes:
    """Encode a call of a Python mapper. Generated code of rules does the same inline.

    Rules need only `orjson.dumps`, `refuse` for its TypeError, and the check of the length: values that were decoded
    from JSON contain no NaN and no invalid Unicode.

    Raises:
        Rejected: with stage `validate`: `CALL_TOO_LARGE`, `INEXACT_NUMBER`, `INVALID_TEXT`, `TOO_DEEP` or
            `UNENCODABLE`.
    """
    try:
        body = orjson.dumps(call, option=_OPTIONS)
    except TypeError as error:
        refuse(call, error)
    if len(body) > max_bytes:
        refuse_size(len(body), max_bytes)
    # orjson writes NaN and Infinity as null, so search for them only if a null was written. `in` takes twice as long.
    if body.rfind(b"null") >= 0 and not _is_finite(call):
        raise Rejected(
            Stage.VALIDATE, "INEXACT_NUMBER", "The call holds NaN or Infinity, which JSON cannot hold."
        )
    return body


def batch_context(call: Mapping[str, Any]) -> bytes:
    """The call's context and integrations as a request repeats them (`records.EncodedCall`).

    b"" where it has neither, or only empty ones.
    """
    if "context" not in call and "integrations" not in call:  # most calls have neither
        return b""
    shared = {key: call[key] for key in ("context", "integrations") if call.get(key)}
    return orjson.dumps(shared, option=orjson.OPT_SORT_KEYS | _OPTIONS)[1:-1] if shared else b""


def refuse_size(size: int, limit: int) -> NoReturn:
    """Refuse a call that is too large.

    Raises:
        Rejected: `CALL_TOO_LARGE`, with both sizes.
    """
    detail = f"The call is {size} bytes long; {limit} are allowed."
    raise Rejected(Stage.VALIDATE, "CALL_TOO_LARGE", detail)


def refuse(call: Mapping[str, Any], error: TypeError) -> NoReturn:
    """Explain why orjson could not encode a call, with the field's name.

    Raises:
        Rejected: `INEXACT_NUMBER` (an integer outside 64 bits), `INVALID_TEXT`, `TOO_DEEP` or `UNENCODABLE`.
    """
    reason, what = _verdict(str(error))
    raise Rejected(Stage.VALIDATE, reason, f"{_where(call)} {what}.") from None


_VERDICTS = (
    ("64-bit", "INEXACT_NUMBER", "holds an integer outside 64 bits, which JSON decoders cannot hold exactly"),
    ("UTF-8", "INVALID_TEXT", "holds text that cannot be written as UTF-8 (half of a surrogate pair)"),
    ("Recursion", "TOO_DEEP", "nests too deep, or holds itself"),
    ("key", "UNENCODABLE", "holds an object whose keys are not all text"),
)


def _verdict(message: str) -> tuple[str, str]:
    for part, reason, what in _VERDICTS:
        if part in message:
            return reason, what
    return (
        "UNENCODABLE",
        "holds a value that is not JSON: only text, numbers, booleans, null, lists, objects are",
    )


def _where(call: Mapping[str, Any]) -> str:
    """The first field that cannot be encoded.

    Only top-level names are shown, because deeper ones may be data of the record.
    """
    for field, value in call.items():
        try:
            orjson.dumps(value, option=_OPTIONS)
        except TypeError:
            return str(field) if field in _FIELDS else "The call"
    return "The call"


_FIELDS = frozenset().union(*FIELDS.values())
"""The fields that a detail may name; other keys may be data of the record."""


def _is_finite(value: object) -> bool:
    """Whether no number in it is NaN or infinite. The value was encoded before, so it is not too deep for recursion."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return not isinstance(value, float) or isfinite(value)
    for inner in value:
        kind = type(inner)
        if kind is not str and kind is not int and inner is not None and not _is_finite(inner):
            return False
    return True
