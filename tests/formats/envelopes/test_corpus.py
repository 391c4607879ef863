"""Envelopes of public documentation, each with what it must become: read plainly, and by a converter.

A file of `corpus/` is a list of envelopes with these keys: `value` (JSON, null is no value), `headers` or
`header_list`, `snapshot`, and what comes of it: `event` and `about` (`_change` or `_ce`), `tombstone`, `ignored`, or
`rejected` with a part of the detail. `from` names where the shape is documented.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from tests.support.mapping_files import as_yaml
from tests.support.records import record
from worker.core.reasons import Rejected
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.formats.envelopes.envelopes import envelope_of
from worker.mapping.decoding import Decoding
from worker.mapping.expressions.interpreter import ENVELOPE
from worker.mapping.files.reader import read_mapping
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import PreviewRecord, map_event

CORPUS = [
    (file.stem, each)
    for file in sorted((Path(__file__).parent / "corpus").glob("*.yaml"))
    for each in YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
]
ROOTS = {"debezium": "_change", "cloudevents": "_ce", "connect": "`null`"}

every = pytest.mark.parametrize(
    "given", [pytest.param(each, id=f"{name}: {each['name']}") for name, each in CORPUS]
)


def record_of(given: dict[str, Any]) -> PreviewRecord:
    headers = given.get("header_list") or list(given.get("headers", {}).items())
    value = None if given["value"] is None else orjson.dumps(given["value"])
    return record(value, of_headers=[(name, text.encode()) for name, text in headers])


def test_the_corpus_is_large_and_names_its_sources() -> None:
    assert len(CORPUS) >= 60
    assert all(each["from"] for _, each in CORPUS)


@every
def test_an_envelope_is_read_plainly(given: dict[str, Any]) -> None:
    envelope = envelope_of(given["envelope"], send_snapshots=given.get("snapshot") == "send")
    decoding = Decoding(envelope=envelope)
    if "rejected" in given:
        with pytest.raises(Rejected) as raised:
            decoding.decoded(record_of(given), None)
        assert raised.value.reason == "INVALID_ENVELOPE"
        assert given["rejected"] in raised.value.detail
        return
    found = decoding.decoded(record_of(given), None)
    assert found.ignored == given.get("ignored")
    if found.ignored is None:
        assert found.tombstone == given.get("tombstone", False)
        assert found.event == given.get("event", {})
        assert found.kafka.get(ENVELOPE) == given.get("about")


@every
def test_a_converter_reads_the_same(given: dict[str, Any]) -> None:
    found = map_event(mappings(given), record_of(given))
    if "rejected" in given:
        assert found["rejected"]["reason"] == "INVALID_ENVELOPE"
        assert given["rejected"] in found["rejected"]["detail"]
    elif "ignored" in given:
        assert found == {"ignored": given["ignored"]}
    else:
        (call,) = found["calls"]
        assert call["event"] == ("Tombstone" if given.get("tombstone") else "Event")
        assert call["properties"]["event"] == given.get("event", {})
        nothing: Any = None if given["envelope"] == "connect" else {}
        assert call["properties"]["about"] == (given.get("about") or nothing)


def mappings(given: dict[str, Any]) -> Mappings:
    """A mapping that sends all that it finds."""
    call = {
        "call": "track",
        "userId": "'someone'",
        "nulls": "send",
        "properties": {"event": "@", "about": ROOTS[given["envelope"]]},
    }
    rules = [{**call, "event": "Tombstone", "when": "_kafka.tombstone"}, {**call, "event": "Event"}]
    file = {"topics": ["orders"], "envelope": given["envelope"], "rules": rules}
    problems: list[Problem] = []
    text = as_yaml(file | ({"snapshot": given["snapshot"]} if "snapshot" in given else {}))
    read = read_mapping(parse(text, "rules.yaml"), problems)
    assert read is not None
    assert not problems
    return Mappings([read], {}, [])
