"""Functions that read and write texts inside of texts: JSON, base64, percent-encoding."""

from __future__ import annotations

import binascii
from typing import Any
from urllib.parse import unquote_to_bytes

from worker.core.reasons import Rejected
from worker.formats.json_values import decode_any
from worker.mapping.expressions import text_length
from worker.mapping.expressions.failures import ExpressionFailed
from worker.mapping.expressions.functions.arguments import text_of, utf8_of
from worker.mapping.expressions.functions.function import Function

_URL_SAFE = str.maketrans("-_", "+/")


def parse_json(text: object) -> Any:
    """The value of a JSON text, by the rules for events: exact integers, limited depth."""
    value = utf8_of("parse_json", text)
    text_length.count("parse_json", len(value))
    try:
        return decode_any(value)
    except Rejected as rejected:
        deep = rejected.reason == "TOO_DEEP"
        said = "the JSON nests too deeply" if deep else "the text is not JSON, or has a number beyond a float"
        raise ExpressionFailed(f"parse_json(): {said}") from None


def base64_encode(text: object) -> str:
    """The UTF-8 bytes in base64, with padding."""
    text_length.check("base64_encode", (len(text_of(text)) + 2) // 3 * 4)
    value = utf8_of("base64_encode", text)
    text_length.check("base64_encode", (len(value) + 2) // 3 * 4)
    return binascii.b2a_base64(value, newline=False).decode()


def base64_decode(text: object) -> str:
    """The UTF-8 text in base64 of either alphabet, with or without padding."""
    written = text_of(text)
    text_length.count("base64_decode", len(written))
    try:
        padding = min(2, len(written) - len(written.rstrip("="))) if len(written) % 4 == 0 else 0
        unpadded = written[: len(written) - padding]
        padded = unpadded.translate(_URL_SAFE) + "=" * (-len(unpadded) % 4)
        return binascii.a2b_base64(padded, strict_mode=True).decode()
    except ValueError:  # also binascii.Error and UnicodeDecodeError
        raise ExpressionFailed("base64_decode(): not UTF-8 text in base64") from None


def url_decode(text: object) -> str:
    """The text without percent-encoding; `+` is a space."""
    value = utf8_of("url_decode", text)
    text_length.count("url_decode", len(value))
    try:
        return unquote_to_bytes(value.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise ExpressionFailed("url_decode(): not UTF-8") from None


FUNCTIONS = (
    Function(
        "parse_json(s)",
        "The value of a JSON text.",
        """parse_json('{"plan": "pro", "seats": 3}').seats""",
        "3",
        parse_json,
        fails="Text that is not JSON, nests deeper than 128 levels, or has a number beyond a float.",
    ),
    Function(
        "base64_encode(s)",
        "The text's UTF-8 bytes in base64, with padding.",
        "base64_encode('Grüße')",
        '"R3LDvMOfZQ=="',
        base64_encode,
        fails="Half of a surrogate pair; a text over `limits.text_length`.",
    ),
    Function(
        "base64_decode(s)",
        "The UTF-8 text in base64; URL-safe characters and missing padding are accepted.",
        "base64_decode('R3LDvMOfZQ')",
        '"Grüße"',
        base64_decode,
        fails="Text that is not base64, or bytes that are not UTF-8.",
    ),
    Function(
        "url_decode(s)",
        "The text without percent-encoding, as in query strings: `+` is a space; a `%` without two digits stays.",
        "url_decode('Gr%C3%BCne+Teeliste')",
        '"Grüne Teeliste"',
        url_decode,
        fails="Bytes that are not UTF-8.",
    ),
)
