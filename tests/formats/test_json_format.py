"""JSON as a format: the statements that it writes decode what `decode` decodes, or only the fields used."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import json_objects
from worker.core.reasons import Rejected
from worker.formats.json_format import JsonFormat
from worker.mapping.compiler.source import Code


class Used(msgspec.Struct):
    """One field of an event."""

    a: Any = None


def emitted(struct_type: type | None) -> Any:
    code = Code()
    JsonFormat().emit(code, "event", struct_type)
    code.line("return event")
    return code.build("decoded", "value")


WHOLE, SOME = emitted(None), emitted(Used)


@given(json_objects, st.sampled_from([b"", b"\x00\x00\x00\x00\x07"]))
def test_what_is_emitted_decodes_what_decode_decodes(event: dict[str, Any], prefix: bytes) -> None:
    value = prefix + msgspec.json.encode(event)
    assert WHOLE(value) == JsonFormat().decode(value) == event
    assert SOME(value) == Used(event.get("a"))


@pytest.mark.parametrize(
    "value", [b"", b" ", b"[1]", b"{", b"\xff", b'{"a": "\xff"}', b'{"b": "\xff"}', b"[" * 500]
)
def test_what_is_emitted_refuses_what_decode_refuses(value: bytes) -> None:
    reasons = []
    for decode in (JsonFormat().decode, WHOLE, SOME):
        with pytest.raises(Rejected) as refused:
            decode(value)
        reasons.append((refused.value.reason, refused.value.detail))
    assert len(set(reasons)) == 1
