from __future__ import annotations

import pytest

from worker.core.reasons import Rejected
from worker.formats.protobuf.framing import read_index, read_name


@pytest.mark.parametrize(
    ("encoded", "index"),
    [
        (b"\x00", (0,)),
        (b"\x02\x00", (0,)),
        (b"\x02\x02", (1,)),
        (b"\x04\x02\x06", (1, 3)),
        (b"\x02\x80\x01", (64,)),
        (b"\x02\x01", (-1,)),
    ],
)
def test_a_message_index_is_zigzag_varints(encoded: bytes, index: tuple[int, ...]) -> None:
    assert read_index(b"12345" + encoded + b"rest", 5) == (index, 5 + len(encoded))


@pytest.mark.parametrize(
    "encoded", [b"", b"\x02", b"\x04\x02", b"\x01", b"\xff\xff\xff\xff\xff\x01", b"\x80", b"\xfe\x01"]
)
def test_a_wrong_message_index_is_rejected(encoded: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        read_index(encoded, 0)
    assert caught.value.reason == "INVALID_PROTOBUF"


def test_a_message_name_is_a_message_with_its_length() -> None:
    assert read_name(b"\x07\x0a\x05Orderrest", 0) == ("Order", 8)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x00",
        b"\x07\x0a\x05Ord",
        b"\x07\x0a\x04Order",
        b"\x04\x12\x02ab",
        b"\x04\x0a\x02\xc3\xa9",
        b"\x02\x0a",
    ],
)
def test_a_wrong_message_name_is_rejected(encoded: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        read_name(encoded, 0)
    assert caught.value.reason == "INVALID_PROTOBUF"
