"""Calls that builders make of right and wrong arguments of every sort."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

import worker
from tests.support.values import json_objects, texts
from worker import Call
from worker.core.reasons import Rejected
from worker.mapping.calls.specs import CALLS, CallSpec, Field, Kind


class Text(str):
    __slots__ = ()


NEARLY_TEXT = st.sampled_from(
    ["", " ", "\t", "\x7f", "\u3000", "\u3000u", " u", "u ", "é", "\udc80", "~", "!", "5", "Null", " null "]
) | st.sampled_from([Text("u"), Text(" "), b"u", 5, 0, -1, 5.0, 5.5, 2**53, 2.0**53, 2**64, True, [], {}])  # fmt: skip
OWN_WORDS: dict[Kind, list[Any]] = {
    Kind.EVENT: ["Signed Up", "User Deleted", " user  deleted", "Null"],
    Kind.TIME: [
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00.123Z",
        "2026-11-21T11:00:00+01:00",
        "2026-02-30T10:00:00Z",
        Text("2026-11-21T10:00:00Z"),
        b"2026-11-21T10:00:00Z",
        1_795_255_200,
        1_795_255_200_000,
        10**17,
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1),  # noqa: DTZ001 - tested
    ],
    Kind.OBJECT: [
        {},
        {"url": "u"},
        {"url": 5},
        {"url": " "},
        {"device": {"type": "web"}},
        {"device": 5},
        {"ip": 5},
        {"objectId": "o" * 151},
        {"other": object()},
    ],
    Kind.OBJECT_TYPE: ["1", 1, "01", 0],
    Kind.INTEGER: [1, True, "1"],
}


def values_for(field: Field) -> st.SearchStrategy[Any]:
    """Right and wrong ones of every sort, the likeliest more often."""
    likely: st.SearchStrategy[Any] = texts
    if field.kind in OWN_WORDS or field.choices:
        likely = st.sampled_from([*OWN_WORDS.get(field.kind, []), *field.choices])
    if field.kind is Kind.OBJECT:
        likely |= json_objects
    elif field.name == "integrations":
        likely |= st.just({"All": False})
    return st.none() | likely | likely | likely | NEARLY_TEXT


@st.composite
def specs_and_values(draw: st.DrawFn) -> tuple[CallSpec, dict[str, Any]]:
    spec = draw(st.sampled_from(list(CALLS.values())))
    values = {}
    for name, field in spec.fields.items():
        if field.required or name in {*spec.one_of, "name"} or draw(st.booleans()):
            values[name] = draw(values_for(field))
    return spec, values


def outcome(make: Callable[[], Any]) -> Any:
    """What comes of it, with its order."""
    try:
        made = make()
    except Rejected as rejected:
        return rejected.stage, rejected.reason, rejected.detail
    return repr(made)


def built(spec: CallSpec, values: dict[str, Any]) -> Call:
    """The call that the spec's builder makes."""
    needed = {field.parameter: values.get(name) for name, field in spec.fields.items() if field.required}
    given_ = {spec.fields[name].parameter: value for name, value in values.items()}
    call: Call = getattr(worker, spec.name)(**needed | given_)
    return call
