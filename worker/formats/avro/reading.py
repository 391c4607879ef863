"""Functions that generated decoders call: for numbers of more than one byte, and to refuse bytes."""

from __future__ import annotations

from typing import Any, NoReturn

from worker.core.reasons import Rejected, Stage
from worker.formats.json_values import MAX_DEPTH

MAX_EMPTY_ITEMS = 1_000_000
"""The most items without bytes in one value (this program's own limit): a list of so many takes 8 MB."""

_LARGEST = (1 << 64) - 1


def number(value: bytes, at: int) -> tuple[int, int]:
    """A variable-length number, before its sign is made of its lowest bit, and where the next value begins.

    Raises:
        IndexError: it does not end, or has more than 64 bits.
    """
    found = shift = 0
    while True:
        byte = value[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            if found > _LARGEST:
                raise IndexError
            return found, at
        shift += 7
        if shift > 63:
            raise IndexError


def natural(value: bytes, at: int) -> tuple[int, int]:
    """As `number`, for a length or an index, which cannot be negative: twice the number, and where the next begins."""
    found, at = number(value, at)
    if found & 1:
        raise IndexError
    return found, at


def count(value: bytes, at: int) -> tuple[int, int]:
    """As `natural`, for the number of items in a block. A negative one is followed by the block's size in bytes."""
    found, at = number(value, at)
    if found & 1:
        _, at = number(value, at)
        found += 1
    return found, at


def truth(byte: int) -> bool:
    """A boolean.

    Raises:
        IndexError: it is neither 0 nor 1.
    """
    if byte > 1:
        raise IndexError
    return byte == 1


def spend(budget: list[int], items: int) -> None:
    """Count items that have no bytes."""
    budget[0] -= items
    if budget[0] < 0:
        detail = f"Lists have more than {MAX_EMPTY_ITEMS:,} items without bytes."
        raise Rejected(Stage.DECODE, "INVALID_AVRO", detail)


def bad() -> NoReturn:
    """Refuse bytes that are no value of the schema.

    Raises:
        IndexError: always.
    """
    raise IndexError


def too_deep() -> NoReturn:
    """Refuse a value whose objects and lists nest too deep.

    Raises:
        Rejected: always.
    """
    raise Rejected(Stage.DECODE, "TOO_DEEP", f"Objects and lists nest deeper than {MAX_DEPTH} levels.")


def refuse_event() -> NoReturn:
    """Refuse a value that is no event.

    Raises:
        Rejected: always.
    """
    raise Rejected(Stage.DECODE, "NOT_AN_OBJECT", "The value is Avro, but not an object.")


def refuse_type() -> NoReturn:
    """Refuse a value that is not of the type that the envelope's code expects.

    Raises:
        Rejected: always.
    """
    raise Rejected(Stage.DECODE, "INVALID_AVRO", "A field has a type that was not expected.")


def refuse_bytes(value: bytes, at: Any) -> NoReturn:
    """Refuse a value that is not of its schema.

    Args:
        value: the bytes.
        at: where decoding stopped.

    Raises:
        Rejected: always.
    """
    if at >= len(value):
        refuse_length(len(value) - at)
    detail = f"The value stops being Avro of its schema near byte {at}."
    raise Rejected(Stage.DECODE, "INVALID_AVRO", detail) from None


def refuse_length(left: int) -> NoReturn:
    """Refuse a value that is longer or shorter than its schema says.

    Args:
        left: the bytes that follow after the value.

    Raises:
        Rejected: always.
    """
    detail = (
        f"After the value {left} more bytes follow."
        if left > 0
        else "The value ends too early for its schema."
    )
    raise Rejected(Stage.DECODE, "INVALID_AVRO", detail) from None


def refuse_value(error: Exception) -> NoReturn:
    """Refuse a value that has no JSON text.

    Args:
        error: its message says what the value is.

    Raises:
        Rejected: always.
    """
    raise Rejected(Stage.DECODE, "INVALID_AVRO", f"The value holds {error}.") from None


def refuse_text() -> NoReturn:
    """Refuse a value with text that is not UTF-8.

    Raises:
        Rejected: always.
    """
    raise Rejected(Stage.DECODE, "INVALID_AVRO", "The value holds text that is not UTF-8.") from None
