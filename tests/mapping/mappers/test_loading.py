from __future__ import annotations

import itertools
import sys
from collections import UserDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tests.support.mapper_calls import mapped, mapper_converter
from tests.support.values import json_values
from worker import Call, Event, Reject
from worker.core.reasons import Rejected, Stage
from worker.mapping.mappers.loading import Mapper, MapperProblem, Mappers

Write = Callable[..., str]
numbers = itertools.count()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module of mappers, with a name that no other test uses."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write_module(source: str) -> str:
        name = f"mapper_{next(numbers)}"
        (tmp_path / f"{name}.py").write_text("from worker import *\n" + source, encoding="utf-8")
        return name

    yield write_module
    for name in set(sys.modules) - before:
        if name.startswith("mapper_"):
            del sys.modules[name]


@pytest.fixture
def mappers(tmp_path: Path, write: Write) -> Mappers:
    return Mappers([tmp_path])


def event(**value: Any) -> Event:
    return Event(value, "key", {}, "people", 3, 7, "2026-11-21T10:00:00.000Z")


def run(function: Any, **options: Any) -> list[Call]:
    return answer(Mapper("test:function", function), event(), **options)


def answer(mapper: Mapper, to: Event, **options: Any) -> list[Call]:
    calls = mapper.answer(to, **options)
    return [calls] if isinstance(calls, Call) else calls


def rejection(function: Any, **options: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        run(function, **options)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


TRACK = {"type": "track", "userId": "u", "event": "E"}


@pytest.mark.parametrize("nothing", [None, [], (), iter([])], ids=["None", "list", "tuple", "iterator"])
def test_nothing_means_not_for_customer_io(nothing: object) -> None:
    assert run(lambda _: nothing) == []


def test_a_mapper_may_return_calls_and_dicts_in_any_number(mappers: Mappers, write: Write) -> None:
    name = write(
        "def several(event):\n"
        "    yield identify(user_id=event.value['id'], traits={'a': 1}, message_id=event.value['event'])\n"
        "    yield {'type': 'track', 'userId': '5', 'event': 'E', 'messageId': 'm', 'timestamp': 1763719200}\n"
    )
    made = answer(mappers.load(f"{name}:several"), event(id=5, event=9))
    assert [(call.body, call.event_id) for call in made] == [
        ({"type": "identify", "userId": "5", "traits": {"a": 1}}, "9"),
        (TRACK | {"messageId": "m", "timestamp": 1763719200, "userId": "5"}, None),
    ]


@pytest.mark.parametrize(
    "junk", ["text", b"bytes", 5, True, object, [None], [TRACK, "x"], [[TRACK]], {1, 2}], ids=repr
)
def test_junk_rejects_the_record(junk: object) -> None:
    assert rejection(lambda _: junk).reason == "MAPPER_RETURNED_JUNK"


def test_a_coroutine_is_junk_and_is_closed() -> None:
    async def wait() -> None: ...

    assert rejection(lambda _: wait()).reason == "MAPPER_RETURNED_JUNK"


@given(json_values)
def test_any_return_value_becomes_calls_or_a_rejection(value: Any) -> None:
    with suppress(Rejected):
        mapped(mapper_converter(lambda _: value))


@pytest.mark.parametrize("count", [256, 257])
def test_a_record_becomes_at_most_256_calls(count: int) -> None:
    if count == 256:
        assert len(run(lambda _: [TRACK] * count)) == count
    else:
        assert rejection(lambda _: [TRACK] * count).reason == "TOO_MANY_CALLS"


def test_an_endless_generator_is_stopped() -> None:
    assert rejection(lambda _: itertools.repeat(TRACK)).reason == "TOO_MANY_CALLS"


def test_an_exception_costs_one_record_and_shows_its_line_but_not_its_message(
    mappers: Mappers, write: Write
) -> None:
    name = write(
        "def broken(event):\n    return lookup(event)\n\n\ndef lookup(event):\n    return {}[event.value['email']]\n"
    )
    with pytest.raises(Rejected) as caught:
        answer(mappers.load(f"{name}:broken"), event(email="cool.person@example.com"))
    assert (caught.value.stage, caught.value.reason) == (Stage.MAP, "MAPPER_FAILED")
    assert caught.value.detail == f'File "{name}.py", line 7: KeyError'


@pytest.mark.parametrize(
    "error", ["SystemExit(0)", "GeneratorExit()", "RecursionError()", "StopIteration()", "BaseException()"]
)
def test_no_exception_gets_out(mappers: Mappers, write: Write, error: str) -> None:
    name = write(f"def broken(event):\n    raise {error}\n")
    with pytest.raises(Rejected, match="MAPPER_FAILED"):
        answer(mappers.load(f"{name}:broken"), event())


@pytest.mark.parametrize(
    ("source", "reason", "said"),
    [
        ("raise type(event.value['email'], (KeyError,), {})", "MAPPER_FAILED", "KeyError"),
        ("raise type(event.value['email'], (Late,), {})", "MAPPER_FAILED", "Late"),
        ("late = Reject('LATE'); late.code = event.value['email']; raise late", "MAPPER_REJECTED", None),
        ("raise Odd(event.value['email'])", "MAPPER_REJECTED", None),
    ],
)
def test_nothing_that_a_mapper_raises_carries_data(
    mappers: Mappers, write: Write, source: str, reason: str, said: str | None
) -> None:
    name = write(
        "class Late(Exception):\n    pass\n\n"
        "class Odd(Reject):\n    def __init__(self, code):\n        self.code = code\n"
        f"\ndef broken(event):\n    {source}\n"
    )
    with pytest.raises(Rejected) as caught:
        answer(mappers.load(f"{name}:broken"), event(email="cool.person@example.com"))
    assert caught.value.reason == reason
    assert "cool" not in str(caught.value)
    if said:
        assert caught.value.detail.endswith(f": {said}")


def test_a_generator_that_fails_on_the_way_rejects_the_record_whole(mappers: Mappers, write: Write) -> None:
    name = write("def broken(event):\n    yield track('E', user_id='u')\n    1 / 0\n")
    with pytest.raises(Rejected, match=r"MAPPER_FAILED: File .* line 4: ZeroDivisionError"):
        answer(mappers.load(f"{name}:broken"), event())


@pytest.mark.parametrize(
    ("code", "reason"), [("NO_PLAN", "NO_PLAN"), ("cool.person@example.com", "MAPPER_REJECTED")]
)
def test_a_mapper_rejects_with_a_code_of_its_own(
    mappers: Mappers, write: Write, code: str, reason: str
) -> None:
    name = write(f"def refuse(event):\n    raise Reject({code!r})\n")
    with pytest.raises(Rejected) as caught:
        answer(mappers.load(f"{name}:refuse"), event())
    assert (caught.value.stage, caught.value.reason) == (Stage.MAP, reason)
    assert caught.value.detail == f'File "{name}.py", line 3: the mapper rejected the record.'


def test_a_builders_refusal_names_the_line_of_the_mapper(mappers: Mappers, write: Write) -> None:
    name = write("def blank(event):\n    return track('E',\n        user_id=None)\n")
    with pytest.raises(Rejected) as caught:
        answer(mappers.load(f"{name}:blank"), event())
    assert (caught.value.stage, caught.value.reason) == (Stage.VALIDATE, "MISSING_ID")
    assert caught.value.detail.startswith(f'File "{name}.py", line 3: track needs userId')


def test_not_even_a_dict_that_misbehaves_gets_an_exception_out() -> None:
    class Hostile(UserDict[str, Any]):
        def keys(self) -> Any:
            raise SystemExit("cool.person@example.com")

    for answer in (Hostile(TRACK), [Hostile(TRACK)]):
        rejected = rejection(lambda _, answer=answer: answer)
        assert rejected.reason == "MAPPER_FAILED"
        assert "person" not in str(rejected)


def test_the_mappings_own_forbidden_ids_hold_for_mappers_too(mappers: Mappers, write: Write) -> None:
    name = write(
        "def one(event):\n    return track('E', user_id=event.value['id'], message_id=event.value['own'])\n"
    )
    mapper = mappers.load(f"{name}:one")
    assert mapped(mapper_converter(mapper, reject_ids=()), {"id": "null", "own": 1})
    for value in ({"id": "null", "own": 1}, {"id": "u", "own": "undefined"}):
        with pytest.raises(Rejected, match="FORBIDDEN_ID"):
            mapped(mapper_converter(mapper), value)


def test_a_slow_mapper_is_reported_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[str, float]] = []
    for seconds, expected in ((1.0, []), (1.5, [("test:function", 1.5)])):
        monkeypatch.setattr(
            "worker.mapping.mappers.loading.perf_counter", iter([10.0, 10.0 + seconds]).__next__
        )
        run(lambda _: None, on_slow=lambda name, took: reports.append((name, took)))
        assert reports == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("async def one(event): ...", "is async"),
        ("async def one(event):\n    yield 1", "is async"),
        ("def one(): ...", "cannot be called with one event"),
        ("def one(a, b): ...", "cannot be called with one event"),
        ("def one(*, event): ...", "cannot be called with one event"),
        ("one = 5", "is not a function"),
        ("class one: ...", "is not a function"),
        ("def other(event): ...", "has no function one"),
    ],
)
def test_functions_that_do_not_take_one_event_are_refused_at_load(
    mappers: Mappers, write: Write, source: str, message: str
) -> None:
    with pytest.raises(MapperProblem, match=message):
        mappers.load(f"{write(source)}:one")


@pytest.mark.parametrize(
    "source",
    ["def one(event): ...", "def one(event, more=1): ...", "def one(*all): ...", "one = lambda e: None"],
)
def test_anything_callable_with_one_event_is_a_mapper(mappers: Mappers, write: Write, source: str) -> None:
    assert answer(mappers.load(f"{write(source)}:one"), event()) == []


def test_a_name_that_is_nearly_right_gets_a_hint(mappers: Mappers, write: Write) -> None:
    with pytest.raises(MapperProblem) as caught:
        mappers.load(f"{write('def device_changed(event): ...')}:device_chnged")
    assert caught.value.hint == "did you mean 'device_changed'?"


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("def one(event:\n", "is not Python", 2),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'", 2),
        ("x = 1\n\nraise SystemExit(1)\n", "cannot be imported: SystemExit", 4),
        ("import os\nos.environ['SECRET_OF_NOBODY']\n", "cannot be imported: KeyError", 3),
    ],
)
def test_a_module_that_fails_is_a_problem_with_file_and_line(
    mappers: Mappers, write: Write, tmp_path: Path, source: str, message: str, line: int
) -> None:
    name = write(source)
    with pytest.raises(MapperProblem, match=message) as caught:
        mappers.load(f"{name}:one")
    assert (caught.value.file, caught.value.line) == (f"{name}.py", line)


@pytest.mark.parametrize(
    "name", ["no_such_module:one", "no.such.module:one", "no_such_entry_point", ":one", ".x:one", "os:"]
)
def test_a_name_that_leads_nowhere_is_a_problem(mappers: Mappers, name: str) -> None:
    with pytest.raises(MapperProblem):
        mappers.load(name)


def test_a_folder_is_found_beside_the_file_that_names_it(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mapper_beside.py").write_text("def one(event): ...", encoding="utf-8")
    assert Mappers(["mine"], tmp_path).load("mapper_beside:one").name == "mapper_beside:one"


def test_an_installed_package_offers_mappers_by_entry_point(
    tmp_path: Path, write: Write, mappers: Mappers
) -> None:
    name = write("def one(event):\n    return track('E', user_id='u')\n")
    info = tmp_path / "offers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offers\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        f"[pipelines_worker.mappers]\noffered = {name}:one\n", encoding="utf-8"
    )
    assert [call.body for call in answer(mappers.load("offered"), event())] == [TRACK]
    with pytest.raises(MapperProblem) as caught:
        mappers.load("oferred")
    assert caught.value.hint == "did you mean 'offered'?"


class FakeRecord:
    """A record in the shape of a Kafka client's."""

    def __init__(
        self, value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]] | None
    ) -> None:
        self._value, self._key, self._headers = value, key, headers

    def topic(self) -> str:
        return "people"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 7

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_763_719_200_123


def test_an_event_has_the_records_key_and_headers_as_text() -> None:
    record = FakeRecord(None, b"k\xff", [("a", b"1"), ("a", b"zwei"), ("b", b"\xff"), ("c", None)])
    assert Event.of(record, {}) == Event(
        {},
        None,
        {"a": "zwei", "b": None, "c": None},
        "people",
        3,
        7,
        "2025-11-21T10:00:00.123Z",
        tombstone=True,
    )
    assert Event.of(FakeRecord(b"{}", b"k", None), {"a": 1}).key == "k"


def test_reject_is_an_exception_to_raise() -> None:
    with pytest.raises(Reject, match="NO_PLAN"):
        raise Reject("NO_PLAN")
