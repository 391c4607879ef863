"""A converter of an enveloped topic makes the calls that the plain reading of its rules makes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.envelopes import wrapped
from tests.support.mapping_files import as_yaml
from tests.support.mapping_reference import Reference
from tests.support.records import converted, record
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected, Stage
from worker.core.records import Converter, EncodedCall, Record
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.compiler.loop import compile_mapping
from worker.mapping.compiler.target import Target
from worker.mapping.files.reader import read_mapping

IDS = MessageIds("cluster")

_LETS = {
    "debezium": {
        "op": "_change.op",
        "either": "sort_by(list, &b)[0].b || _change.before.a",
        "both": "[$op, $either]",
    },
    "cloudevents": {
        "op": "_ce.type",
        "either": "sort_by(list, &b)[0].b || _ce.ext",
        "both": "[$op, $either]",
    },
    "connect": {"op": "kind", "either": "sort_by(list, &b)[0].b || a", "both": "[$op, $either]"},
}
_COMMON = [
    "$op", "$either", "$both", "sort_by(list, &b)[0].b || $op", "sort_by(list, &b) || $both", "list[?b == $op]",
    "id",
    "a",
    "a.b",
    "c.id",
    "list[].b",
    "@",
    "kind",
    "_kafka.key",
    "_kafka.tombstone",
    "length(list)",
    "`1`",
]  # fmt: skip
_OWN = {
    "debezium": [
        "_change.op", "_change.before.a", "_change.after.c.id", "_change.before", "_change.source.table", "_change",
        "_change.timestamp", "_change.snapshot", "_change.other", "sort_by(list, &b)[0].b || _change.op",
        "keys(_change)", "_change.source", "_kafka.key.id",
    ],
    "cloudevents": [
        "_ce.type", "_ce.ext", "_ce.ext.b", "_ce", "_ce.data", "_ce.time", "_ce.datacontenttype", "_ce.subject",
        "keys(_ce)", "_ce.specversion",
    ],
    "connect": ["payload", "_change.op", "_kafka.key.id"],
}  # fmt: skip
_CONDITIONS = {
    "debezium": [
        "_change.op == 'update'",
        "_kafka.tombstone",
        "!a",
        "_change.before.id == id",
        "_change.snapshot",
    ],
    "cloudevents": ["_ce.type == 'x'", "_kafka.tombstone", "_ce.ext == 'x'", "a"],
    "connect": ["kind == 'x'", "_kafka.tombstone", "!a"],
}


def _rules(envelope: str) -> st.SearchStrategy[dict[str, Any]]:
    paths = st.sampled_from(_COMMON + _OWN[envelope])
    required = {
        "call": st.just("track"),
        "event": st.just("E"),
        "userId": st.sampled_from(["id", "c.id", "_kafka.key", "_kafka.key.id", "'someone'", "'someone'"]),
        "properties": st.dictionaries(st.sampled_from("pqrs"), paths, max_size=3),
    }
    optional = {
        "when": st.sampled_from(_CONDITIONS[envelope]),
        "timestamp": st.just("at"),
        "messageId": st.just("id"),
    }
    return st.fixed_dictionaries(required, optional=optional)


_HEADS = {
    "debezium": ["snapshot: send\n", "unmatched: dead_letter\n", "key_format: text\n", ""],
    "cloudevents": ["unmatched: dead_letter\n", "key_format: json\n", ""],
    "connect": ["unmatched: dead_letter\n", "key_format: text\n", ""],
}
_KEYS = [b"key", None, b'{"id": 5}', b'{"schema": null, "payload": {"id": "k"}}', b"\xff", b"17"]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.parametrize("envelope", wrapped)
def test_a_converter_of_an_envelope_equals_the_reference(envelope: str, data: Any) -> None:
    rules = data.draw(st.lists(_rules(envelope), min_size=1, max_size=3))
    head = data.draw(st.sampled_from(_HEADS[envelope]))
    problems: list[Problem] = []
    text = f"topics: [orders]\nenvelope: {envelope}\n{head}let: {as_yaml(_LETS[envelope])}\nrules: {as_yaml(rules)}"
    file = read_mapping(parse(text, "rules.yaml"), problems)
    assert file is not None
    assert not problems, problems
    convert = compile_mapping(file, Target("orders", IDS), {})
    reference = Reference(file, IDS)
    for value, headers in data.draw(st.lists(wrapped[envelope], min_size=4, max_size=12)):
        encoded = None if value is None else orjson.dumps(value)
        key = data.draw(st.sampled_from(_KEYS))
        of = record(encoded, key=key, of_headers=headers)
        expected = reference.outcome(of)
        for _ in range(2):  # the second time, a schema is known
            assert agrees(outcome(convert, of), expected)


def outcome(convert: Converter, of: Record) -> list[EncodedCall] | Stage:
    try:
        return converted(convert, of)
    except Rejected as rejected:
        return rejected.stage


def agrees(found: list[EncodedCall] | Stage, expected: list[EncodedCall] | set[Stage]) -> bool:
    return found in expected if isinstance(expected, set) else found == expected
