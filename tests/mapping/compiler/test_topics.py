"""The topics of a mapping file share its compiled code; ids, times, callbacks and what is remembered are their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any

import orjson
import pytest

from tests.formats.contract import avro_bytes, avro_schemas, with_prefix
from tests.support.enveloped import BINARY, CLOUD_EVENT
from tests.support.records import TIME, record, run
from worker.core.message_id import MessageIds
from worker.core.record_reading import RecordHeaders
from worker.core.records import BODY, RULE, Record
from worker.formats.python_source import PythonSource
from worker.mapping.mappings import Mappings

IDS = MessageIds("cluster")
TOPICS = ("shop.orders", "shop.returns", "shop.carts")
LATER = "2025-11-21T10:20:00.000Z"
"""Beyond the limit of future times, by some of the records' timestamps."""

RULES = """
rules:
  - {when: type == 'a', call: track, event: A, userId: id, timestamp: at}
  - {when: type == 'b', call: track, event_from: name, userId: id}
  - {when: type == 'c', call: track, event: C, for_each: list, userId: $item, timestamp: at}
  - {when: type == 'd', calls: [{call: identify, traits: traits}, {call: page, name: A}], userId: id}
  - {when: type == 'e', ignore: true}
"""
LOOKED_UP = RULES + "".join(
    f"  - {{when: type == 'kind.{n}', call: identify, userId: id, timestamp: at}}\n" for n in range(20)
)
MAPPERS_LOOKED_UP = "\nrules:\n" + "".join(
    f"  - {{when: type == '{kind}', mapper: 'mapper_of_test_topics:mapped'}}\n"
    for kind in ("a", "b", "c", *(f"kind.{n}" for n in range(20)))
)
MAPPER = """
from worker import track

def mapped(event):
    if event.value.get("id"):
        return track(event.value.get("name") or "A", user_id=event.value["id"], timestamp=event.value.get("at"))
"""
ROW = {
    "type": "record",
    "name": "Row",
    "fields": [{"name": name, "type": "string"} for name in ("type", "id", "at")],
}
LONGER_ROW = ROW | {"name": "Longer", "fields": [{"name": "n", "type": "int"}, *ROW["fields"]]}

BINARY_HEADERS: RecordHeaders = [*BINARY]

Given = tuple[Any, RecordHeaders]

EVENTS: list[Given] = [
    (None, []),
    (b"{", []),
    ({"type": "a", "id": "u", "at": "2025-11-21T09:00:00.000Z"}, []),
    ({"type": "a", "id": "u", "at": LATER}, []),
    ({"type": "a", "id": 7, "at": [LATER]}, []),
    ({"type": "b", "id": "u", "name": "Named"}, []),
    ({"type": "b", "id": "ü" * 100, "name": "Named"}, []),
    ({"type": "c", "list": ["u", "v"], "at": LATER}, []),
    ({"type": "d", "id": "u", "traits": {"n": [{}]}}, []),
    ({"type": "e"}, []),
    ({"type": "kind.3", "id": "u", "at": LATER}, []),
    ({"type": "kind.4", "id": "ü" * 100}, []),
]


def beside_schema(type_: str, event: Any) -> Given:
    """An event beside a schema that says this type of its number."""
    fields = [{"field": "n", "type": type_, "optional": True}, {"field": "type", "type": "string"}]
    return {"schema": {"type": "struct", "fields": fields}, "payload": event}, []


def changed(type_: str, row: Any) -> Given:
    """The same as a change of Debezium."""
    rows = {"field": "after", "type": "struct", "fields": [{"field": "n", "type": type_}]}
    change = {"op": "c", "before": None, "after": row, "source": {"ts_ms": TIME}}
    return {"schema": {"type": "struct", "fields": [rows]}, "payload": change}, []


ROWS = [{"type": "a", "id": "u", "n": n, "at": LATER} for n in (1, "1", None)]
OF_CLOUD_EVENTS: list[Given] = [
    (CLOUD_EVENT | {"type": "a", "data": {"type": "a", "id": "u", "at": LATER}}, []),
    *(
        ({"type": "a", "id": "u", "at": LATER}, headers)
        for headers in (BINARY_HEADERS, BINARY_HEADERS[::-1], [*BINARY_HEADERS, ("x", b"")])
    ),
    ({"type": "a"}, [("ce_specversion", b"0.3")]),
]
NUMBERED = RULES.replace("event: A,", "event: A, properties: {n: n},")

KINDS: dict[str, tuple[str, list[Given]]] = {
    "usual and other events": (RULES, EVENTS),
    "events decoded whole": (f"{RULES}  - {{call: group, groupId: id, traits: '@'}}\n", EVENTS),
    "looked up": (LOOKED_UP, EVENTS),
    "mapper": ("\nrules: [{mapper: 'mapper_of_test_topics:mapped'}]\n", EVENTS),
    "mappers looked up": (MAPPERS_LOOKED_UP, EVENTS),
    "debezium": (
        f"\nenvelope: debezium{NUMBERED}",
        [changed(type_, row) for type_ in ("int32", "string") for row in ROWS],
    ),
    "connect": (
        f"\nenvelope: connect{NUMBERED}",
        [beside_schema(type_, row) for type_ in ("int32", "string") for row in ROWS],
    ),
    "cloudevents": (f"\nenvelope: cloudevents{RULES}", OF_CLOUD_EVENTS),
    "avro": (
        f"\nformat: avro{RULES}",
        [
            (with_prefix(1, avro_bytes(ROW, ROWS[0])), []),
            (with_prefix(2, avro_bytes(LONGER_ROW, ROWS[0])), []),
            (b"\x00", []),
        ],
    ),
}
"""For each way in which code is generated, a mapping and its events."""


class Topic:
    """A topic, with all that its converter does.

    Attributes:
        code: the compiled code of its converter.
    """

    def __init__(self, mappings: Mappings, name: str) -> None:
        self._name = name
        self._noted: list[tuple[Any, ...]] = []
        convert: Any = mappings.converter(
            name,
            IDS,
            on_no_call=lambda rule: self._noted.append((name, rule)),
            on_notice=lambda kind, rule: self._noted.append((name, kind, rule)),
        )
        self._convert = convert
        self.code = convert.__code__

    def does(self, events: list[tuple[Given, int, int]]) -> tuple[Any, ...]:
        """What it makes of events that are given with an offset and milliseconds."""
        records: list[Record] = [
            record(value, topic=self._name, of_headers=headers, at=(1, offset), millis=TIME + millis)
            for (value, headers), offset, millis in events
        ]
        self._noted.clear()
        calls, rejected, ignored = run(self._convert, records)
        refused = [(of, verdict.reason, verdict.detail) for of, verdict in rejected]
        made = [(call[BODY], call[RULE]) for call in calls]
        return made, [(records.index(of), *told) for of, *told in refused], ignored, list(self._noted)


def load(folder: Path, text: str) -> Mappings:
    (folder / "mapper_of_test_topics.py").write_text(MAPPER)
    (folder / "shop.yaml").write_text(f"topics: ['^shop[.].*$']{text}")
    return Mappings.load(
        [str(folder / "shop.yaml")],
        mapper_path=[str(folder)],
        base=folder,
        dead_letter_topic="dead",
        future=600.0,
        profile="warn",
        schemas=avro_schemas(ROW, LONGER_ROW),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_converter_does_the_same_as_if_its_topic_were_alone(tmp_path: Path, kind: str) -> None:
    (text, events), rng = KINDS[kind], Random(kind)
    mappings = load(tmp_path, text)
    together = [Topic(mappings, name) for name in TOPICS]
    assert len({id(each.code) for each in together}) == 1
    alone = [Topic(load(tmp_path, text), name) for name in TOPICS]
    made: set[bytes] = set()
    refused: set[str] = set()
    for _ in range(100):
        number = rng.randrange(len(TOPICS))
        drawn = [
            (rng.choice(events), rng.randrange(9_000), rng.randrange(1_800_000))
            for _ in range(rng.randint(1, 20))
        ]
        done = together[number].does(drawn)
        assert done == alone[number].does(drawn)
        made.update(body for body, _ in done[0])
        refused.update(reason for _, reason, _ in done[1])
    assert len(made) > 100
    assert refused


def test_ids_times_and_callbacks_are_those_of_the_topic(tmp_path: Path) -> None:
    mappings = load(tmp_path, RULES)
    events = [(event, 42, 0) for event in EVENTS]
    ids: dict[str, list[str]] = {}
    for topic in TOPICS:
        made, _, _, noted = Topic(mappings, topic).does(events)
        calls = [orjson.loads(body[:-1]) for body, _ in made]
        ids[topic] = [call["messageId"] for call in calls]
        first = [("track", "A", 0), ("track", "A", 0), ("track", "Named", 0)]
        assert ids[topic][:3] == [IDS.for_record(TIME, topic, 1, 42, *call) for call in first]
        assert LATER not in {call.get("timestamp") for call in calls}
        assert {name for name, *_ in noted} == {topic}
        assert {str(kind) for _, kind, *_ in noted} >= {"future_time", "id_length", f"{tmp_path}/shop.yaml:7"}
    assert len(set.union(*map(set, ids.values()))) == sum(len(set(of_topic)) for of_topic in ids.values())


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of all that is compiled."""
    files: list[str] = []
    compile_ = PythonSource.compiled

    def noted(self: PythonSource, name: str, file: str, source: str | None = None) -> Any:
        files.append(file)
        return compile_(self, name, file, source)

    monkeypatch.setattr(PythonSource, "compiled", noted)
    return files


def test_a_file_is_compiled_once_and_for_other_events_when_the_first_of_any_topic_arrives(
    tmp_path: Path, compiled: list[str]
) -> None:
    mappings = load(tmp_path, RULES)
    topics = [Topic(mappings, f"shop.{n}") for n in range(20)]
    usual, *others = [f"<mapping {tmp_path}/shop.yaml>", f"<mapping {tmp_path}/shop.yaml, other events>"]
    assert compiled == [usual]
    for topic in topics:
        topic.does([(({"type": "a", "id": 7}, []), 0, 0), (({"type": [[["a"]]]}, []), 1, 0)])
    assert compiled == [usual, *others]


def test_the_functions_of_rules_that_are_looked_up_are_compiled_once_too(
    tmp_path: Path, compiled: list[str]
) -> None:
    mappings = load(tmp_path, LOOKED_UP)
    for name in TOPICS:
        Topic(mappings, name).does([(({"type": "kind.3", "id": "u"}, []), 0, 0)])
    assert len(compiled) == len(set(compiled)) == 1 + 25


def test_code_is_compiled_anew_for_what_it_depends_on(tmp_path: Path, compiled: list[str]) -> None:
    mappings = load(tmp_path, RULES)
    for topic in TOPICS:
        mappings.converter(topic, IDS)
    Topic(mappings, TOPICS[0])
    assert len(compiled) == 2
    mappings.taking_json().converter(TOPICS[0], IDS)
    assert len(compiled) == 3


@pytest.fixture
def _impatient_threads() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_impatient_threads")
def test_threads_that_need_the_same_file_compile_it_once(tmp_path: Path, compiled: list[str]) -> None:
    threads = 8
    for _ in range(5):
        compiled.clear()
        mappings, begin = load(tmp_path, RULES), Barrier(threads)

        def made(number: int, mappings: Mappings = mappings, begin: Barrier = begin) -> Topic:
            begin.wait()
            return Topic(mappings, f"shop.{number}")

        with ThreadPoolExecutor(threads) as pool:
            topics = list(pool.map(made, range(threads)))
        assert len(compiled) == 1
        assert len({id(topic.code) for topic in topics}) == 1
