"""Envelopes with a few values replaced or taken away: no one fails the worker, and both ways read them the same."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.formats.envelopes.test_corpus import CORPUS, record_of
from tests.support.enveloped import read
from tests.support.mapping_reference import Reference
from tests.support.records import record
from worker.mapping.trying.preview import PREVIEW_IDS, PreviewRecord, map_event

CASES = 600
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, "", "x", [], {}, [1], {"a": 1}, "é", "__debezium_unavailable_value", 2**63, "c", "d",
    "{}", '{"id": "x"}',
)  # fmt: skip
HEADERS = (b"", b"\xff", None, b"1.0", b"application/json", b"x")

SOME_FIELDS = {
    "debezium": "userId: id, timestamp: _change.timestamp, properties: {a: email, b: _change.before.id, o: _change.op}",
    "connect": "userId: id, properties: {a: name}",
    "cloudevents": "userId: a, properties: {a: _ce.type, b: _ce.ext, c: _ce.subject}",
}
WHOLE = {
    "debezium": "userId: id, properties: {a: '@', b: _change}",
    "connect": "userId: id, properties: {a: '@'}",
    "cloudevents": "userId: a, properties: {a: '@', b: _ce}",
}


@pytest.mark.parametrize("fields", [SOME_FIELDS, WHOLE])
def test_a_mutated_envelope_is_read_the_same_both_ways(fields: dict[str, str]) -> None:
    mappings = {
        envelope: read(f"envelope: {envelope}\nrules:\n  - {{call: track, event: E, {each}}}\n")[0]
        for envelope, each in fields.items()
    }
    references = {envelope: Reference(each.files[0], PREVIEW_IDS) for envelope, each in mappings.items()}
    draw = random.Random(1)
    for _ in range(CASES):
        given = draw.choice(CORPUS)[1]
        of = mutated(given, draw)
        found = map_event(mappings[given["envelope"]], of)
        expected = references[given["envelope"]].outcome(of)
        if isinstance(expected, set):
            assert found["rejected"]["stage"] in expected, of
            assert found["rejected"]["reason"] != "UNEXPECTED_FAULT", of
        else:
            assert found.get("calls", []) == [orjson.loads(body) for body, _ in expected], of


def mutated(given: dict[str, Any], draw: random.Random) -> PreviewRecord:
    """A record of the corpus with up to three values, and perhaps a header, replaced."""
    value, headers = copy.deepcopy(given["value"]), list(record_of(given).of_headers)
    for _ in range(draw.randint(1, 3)):
        mutate(value, draw)
    if headers and draw.random() < 0.3:
        number = draw.randrange(len(headers))
        headers[number] = headers[number][0], draw.choice(HEADERS)
    return record(None if value is None else orjson.dumps(value), of_headers=headers)


def mutate(value: Any, draw: random.Random) -> None:
    places = list(inner_places(value))
    if not places:
        return
    parent, step = draw.choice(places)
    if type(parent) is dict and draw.random() < 0.3:
        del parent[step]
    else:
        parent[step] = copy.deepcopy(draw.choice(JUNK))


def inner_places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object and list in a value, with each of its keys or positions."""
    steps = value if type(value) is dict else range(len(value)) if type(value) is list else ()
    for step in steps:
        yield value, step
        yield from inner_places(value[step])
