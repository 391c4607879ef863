"""What stands between the id of a schema and a Protobuf message: which message of the schema it is."""

from __future__ import annotations

from worker.formats.protobuf.refusals import refuse

FIRST = (0,)
"""The index of a schema's first message."""

MOST_LEVELS = 100
"""How deep an index may point into messages that are declared in messages. No schema needs more: parsers of messages
stop at that depth too."""

_NAME = b"\x0a"
"""The tag of field 1, text."""

_LONGEST_VARINT = 5
"""Bytes of a number of 32 bits."""


def read_index(value: bytes, start: int) -> tuple[tuple[int, ...], int]:
    """Read Confluent's message index: the place of the message among those of its file, then inside of that, ...

    It is the count of numbers, then each number, as zigzag varints; a single zero stands for the first message.

    Returns:
        The index, and where the message begins.

    Raises:
        Rejected: `INVALID_PROTOBUF`.
    """
    count, at = _zigzag(value, start)
    if count == 0:
        return FIRST, at
    if not 0 < count <= MOST_LEVELS:
        refuse(f"The message index at byte {start} is not valid.")
    index = []
    for _ in range(count):
        number, at = _zigzag(value, at)
        index.append(number)
    return tuple(index), at


def written_index(place: int) -> bytes:
    """The index of a message at the top of its file: below 64 in one or two bytes."""
    assert 0 <= place < 64, "larger ones take more bytes"
    return bytes([2, 2 * place]) if place else b"\0"


def read_name(value: bytes, start: int) -> tuple[str, int]:
    """Read Apicurio's reference to a message: a length, then a Protobuf message with the name as its field 1.

    Returns:
        The name, and where the message begins.

    Raises:
        Rejected: `INVALID_PROTOBUF`.
    """
    length, at = _varint(value, start)
    end = at + length
    if value[at : at + 1] != _NAME:
        refuse(f"There is no name of a message at byte {start}.")
    size, at = _varint(value, at + 1)
    name = value[at:end]
    if not len(name) == size == end - at or not name.isascii():
        refuse(f"There is no name of a message at byte {start}.")
    return name.decode(), end


def _zigzag(value: bytes, start: int) -> tuple[int, int]:
    number, at = _varint(value, start)
    return (number >> 1) ^ -(number & 1), at


def _varint(value: bytes, start: int) -> tuple[int, int]:
    number = place = 0
    for place, byte in enumerate(value[start : start + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    else:
        refuse(f"The value ends, or has no number, at byte {start}.")
    return number, start + place + 1
