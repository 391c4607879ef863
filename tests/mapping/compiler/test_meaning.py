"""What rules and mappers send if a field would do something else at Customer.io than store a value."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.memory_source import MemoryRecord
from worker.core.message_id import MessageIds
from worker.core.records import BODY, QueuedCall, RejectedRecord
from worker.customerio.notices import Notice
from worker.mapping.mappings import Mappings

TIME = 1_795_255_200_000
"""2026-11-21T10:00:00Z"""
RECORD_TIME = "2026-11-21T10:00:00.000Z"

MAPPER = """
import worker

def builder(event):
    value = dict(event.value)
    call = getattr(worker, value.pop("call"))
    return call(*value.pop("names", []), user_id="u", **value)

def plain(event):
    return event.value
"""


class Run:
    """The outcome of events under one rule: calls, reasons, and notices by kind and rule."""

    def __init__(self, folder: Path, rule: str, **settings: Any) -> None:
        (folder / "meaning_mapper.py").write_text(MAPPER)
        (folder / "m.yaml").write_text(f"topics: [t]\nrules:\n  - {rule}\n")
        mappings = Mappings.load(
            [str(folder / "m.yaml")],
            mapper_path=[str(folder)],
            base=folder,
            dead_letter_topic="d",
            **settings,
        )
        self.warnings = [str(problem).partition("m.yaml:")[2] for problem in mappings.warnings]
        self.notices: Counter[str] = Counter()
        converter = mappings.converter("t", MessageIds("c"), on_notice=self._note)
        assert converter is not None
        self._convert = converter

    def _note(self, kind: Notice, rule: str) -> None:
        assert rule.endswith("m.yaml:3")
        self.notices[Notice(kind)] += 1

    def __call__(self, event: dict[str, Any], millis: int | None = TIME) -> Any:
        """The calls of an event, or the reason for its rejection."""
        calls: list[QueuedCall] = []
        rejected: list[RejectedRecord] = []
        record = MemoryRecord(("t", 0), 0, b"k", orjson.dumps(event), [], -1 if millis is None else millis)
        self._convert([record], calls, rejected)
        if rejected:
            return rejected[0][1].reason
        return [orjson.loads(call[BODY][:-1]) for call in calls]


@pytest.fixture
def run(tmp_path: Path) -> Any:
    return lambda rule, **settings: Run(tmp_path, rule, **settings)


TRACK = "{call: track, event: Bought, userId: id, properties: data%s}"


def test_a_reserved_property_that_comes_by_data_rejects_the_record(run: Any) -> None:
    bought = run(TRACK % "")
    assert bought({"id": "u", "data": {"reply_to": "x"}}) == "RESERVED_PROPERTY"
    assert bought({"id": "u", "data": {"recipient": None}})[0]["properties"] == {"recipient": None}
    assert bought({"id": "u", "data": {"to": "x"}})[0]["properties"] == {"to": "x"}
    assert bought({"id": "u"})[0]["event"] == "Bought"
    allowed = run(TRACK % ", allow_overrides: [reply_to]")
    assert allowed({"id": "u", "data": {"reply_to": "x"}})[0]["properties"] == {"reply_to": "x"}
    assert allowed({"id": "u", "data": {"recipient": "x"}}) == "RESERVED_PROPERTY"
    shared = run("{call: track, event: Cart Shared, userId: id, properties: data}")
    assert shared({"id": "u", "data": {"recipient": "x"}})[0]["event"] == "Cart Shared"
    assert shared({"id": "u", "data": {"from_address": "x"}}) == "RESERVED_PROPERTY"
    computed = run("{call: track, event_from: name, userId: id, properties: data}")
    assert computed({"id": "u", "name": "Product Shared", "data": {"recipient": "x"}})[0]["userId"] == "u"
    assert computed({"id": "u", "name": "Product Seen", "data": {"recipient": "x"}}) == "RESERVED_PROPERTY"


def test_a_reserved_property_that_the_rule_writes_is_a_warning_at_its_key(run: Any) -> None:
    rule = "{call: track, event: Bought, userId: id, properties: {recipient: mail, reply_to: null}%s}"
    written = run(rule % "")
    assert [warning.partition(": ")[0] for warning in written.warnings] == ["3:59"]
    assert "`allow_overrides: [recipient]`" in written.warnings[0]
    assert written({"id": "u", "mail": "x"})[0]["properties"]["recipient"] == "x"
    assert run(rule % ", allow_overrides: [recipient]").warnings == []
    assert run(rule.replace("Bought", "Cart Shared") % "").warnings == []


def test_keys_inside_an_expression_are_written_too(run: Any) -> None:
    written = run("{call: track, event: Bought, userId: id, properties: '{recipient: mail, n: n}'}")
    assert [warning.partition(": ")[0] for warning in written.warnings] == ["3:58"]
    assert written({"id": "u", "mail": "x"})[0]["properties"]["recipient"] == "x"
    traits = run(IDENTIFY % ("'{id: id}'", ""), profile="warn")
    assert [warning.partition(": ")[0] for warning in traits.warnings] == ["3:42"]
    traits({"id": "u"})
    assert not traits.notices


def test_a_default_counts_as_written(run: Any) -> None:
    calls = "{calls: [{call: track, event: Bought}, {call: track, event: Paid}], userId: id, "
    written = run(calls + "properties: {reply_to: mail}}")
    assert [warning.partition(": ")[0] for warning in written.warnings] == ["3:98"]
    assert len(written({"id": "u", "mail": "x"})) == 2
    by_data = run(calls + "properties: data}")
    assert by_data({"id": "u", "data": {"reply_to": "x"}}) == "RESERVED_PROPERTY"
    allowed = run(calls + "properties: data, allow_overrides: [reply_to]}")
    assert len(allowed({"id": "u", "data": {"reply_to": "x"}})) == 2


@pytest.mark.parametrize("kind", ["builder", "plain"])
def test_a_mapper_needs_to_be_allowed_too(run: Any, kind: str) -> None:
    event: dict[str, Any] = {"properties": {"recipient": "x"}}
    uninstalled: dict[str, Any] = {"context": {"device": {"token": "t"}}}
    if kind == "builder":
        event |= {"call": "track", "names": ["Bought"]}
        uninstalled |= {"call": "track", "names": ["Application Uninstalled"]}
    else:
        event |= {"type": "track", "event": "Bought", "userId": "u"}
        uninstalled |= {"type": "track", "event": "Application Uninstalled", "userId": "u"}
    rule = f"{{mapper: 'meaning_mapper:{kind}'%s}}"
    assert run(rule % "")(event) == "RESERVED_PROPERTY"
    assert len(run(rule % ", allow_overrides: [recipient]")(event)) == 1
    assert run(rule % "")(uninstalled) == "NOT_ALLOWED"
    assert len(run(rule % ", allow: [application_uninstalled]")(uninstalled)) == 1


def test_only_a_literal_or_allowed_uninstalled_application_deletes_a_device(run: Any) -> None:
    event = {"id": "u", "name": "Application  Uninstalled", "token": "t"}
    rule = "{call: track, %s, userId: id, context: {device: {token: token}}%s}"
    assert run(rule % ("event_from: name", ""))(event) == "NOT_ALLOWED"
    assert len(run(rule % ("event_from: name", ", allow: [application_uninstalled]"))(event)) == 1
    assert len(run(rule % ("event: Application Uninstalled", ""))(event)) == 1
    assert len(run(rule % ("event_from: name", ""))(event | {"token": None})) == 1


IDENTIFY = "{call: identify, userId: id, traits: %s%s}"


@pytest.mark.parametrize(
    "rule",
    [
        IDENTIFY % ("data", ""),
        IDENTIFY % ("{unsubscribed: data.unsubscribed, n: data.n}", ""),
        IDENTIFY % ("{unsubscribed: data.unsubscribed, n: data.n}", ", nulls: send"),
    ],
)
def test_an_opt_out_is_sent_as_it_stands_or_refused(run: Any, rule: str) -> None:
    identified = run(rule)
    for value in (True, False, 0, 1, "true", "false"):
        (call,) = identified({"id": "u", "data": {"unsubscribed": value, "n": 1}})
        assert call["traits"]["unsubscribed"] is value or call["traits"]["unsubscribed"] == value
        assert type(call["traits"]["unsubscribed"]) is type(value)
    others: list[Any] = ["yes", "TRUE", 2, [], {"a": 1}, ""]
    for other in others:
        assert identified({"id": "u", "data": {"unsubscribed": other, "n": 1}}) == "INVALID_UNSUBSCRIBED"
    (call,) = identified({"id": "u", "data": {"unsubscribed": None, "n": 1}})
    assert call["traits"] == {"n": 1}


@pytest.mark.parametrize("kind", ["builder", "plain"])
def test_an_opt_out_of_a_mapper_is_checked_and_a_null_left_out(run: Any, kind: str) -> None:
    mapped = run(f"{{mapper: 'meaning_mapper:{kind}'}}")
    base = {"call": "identify"} if kind == "builder" else {"type": "identify", "userId": "u"}
    assert mapped({**base, "traits": {"unsubscribed": "no"}}) == "INVALID_UNSUBSCRIBED"
    assert mapped({**base, "traits": {"unsubscribed": None, "n": None}})[0]["traits"] == {"n": None}


def test_identifiers_among_traits_are_warned_of_where_written_and_noticed_where_they_come_by_data(
    run: Any,
) -> None:
    written = run(IDENTIFY % ("{id: id, cio_id: id}", ""))
    assert [warning.partition(": ")[0] for warning in written.warnings] == ["3:43", "3:51"]
    by_data = run(IDENTIFY % ("data", ""))
    assert by_data.warnings == []
    by_data({"id": "u", "data": {"n": 1}})
    assert not by_data.notices
    assert by_data({"id": "u", "data": {"cio_id": 1}})[0]["traits"] == {"cio_id": 1}
    assert by_data.notices == {Notice.RESERVED_TRAIT: 1}
    group = run("{call: group, groupId: id, traits: data}")
    group({"id": "g", "data": {"id": 1}})
    assert not group.notices


TIMED = "{call: track, event: Bought, userId: id, timestamp: at}"


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        ("2026-11-21T10:05:00.000Z", "2026-11-21T10:05:00.000Z"),
        ("2026-11-21T10:05:00.001Z", RECORD_TIME),
        ("2026-11-21T11:05:00.001+01:00", RECORD_TIME),
        ("9999-12-31T23:59:59Z", RECORD_TIME),
        (4_000_000_000, RECORD_TIME),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z"),
        (None, RECORD_TIME),
    ],
)
def test_a_time_of_the_future_is_replaced_by_the_records(run: Any, at: object, sent: str) -> None:
    timed = run(TIMED, future=300.0)
    assert timed({"id": "u", "at": at})[0]["timestamp"] == sent
    assert timed.notices == ({Notice.FUTURE_TIME: 1} if sent == RECORD_TIME and at is not None else {})


def test_the_bound_follows_each_records_own_time(run: Any) -> None:
    timed = run(TIMED, future=0.0)
    for millis in (TIME + 5, TIME + 1023, TIME + 1024, TIME, TIME - 1, TIME + 10**9):
        exact = timed({"id": "u", "at": millis}, millis)[0]["timestamp"]
        assert timed({"id": "u", "at": millis + 1}, millis)[0]["timestamp"] == exact
    assert timed.notices == {Notice.FUTURE_TIME: 6}


def test_without_a_limit_or_a_timestamp_of_the_record_nothing_is_replaced(run: Any) -> None:
    later = {"id": "u", "at": "2027-01-01T00:00:00.000Z"}
    assert run(TIMED)(later)[0]["timestamp"] == later["at"]
    limited = run(TIMED, future=300.0)
    assert limited(later, None)[0]["timestamp"] == later["at"]
    assert not limited.notices
    assert limited(later, 253_402_300_799_999)[0]["timestamp"] == later["at"]  # the end of the year 9999


@pytest.mark.parametrize("kind", ["builder", "plain"])
def test_a_future_time_of_a_mapper_is_replaced_too(run: Any, kind: str) -> None:
    mapped = run(f"{{mapper: 'meaning_mapper:{kind}'}}", future=300.0)
    event: dict[str, Any] = {"timestamp": "2026-11-21T10:05:00.001Z"}
    event |= {"call": "identify"} if kind == "builder" else {"type": "identify", "userId": "u"}
    assert mapped(event)[0]["timestamp"] == RECORD_TIME
    assert mapped(event | {"timestamp": "2026-11-21T10:05:00Z"})[0]["timestamp"] == "2026-11-21T10:05:00.000Z"
    assert mapped.notices == {Notice.FUTURE_TIME: 1}


EXCESSES = [
    ("{call: identify, userId: id}", {"id": "u" * 151}, Notice.ID_LENGTH),
    ("{call: identify, userId: id, anonymousId: other}", {"other": "u" * 151}, Notice.ID_LENGTH),
    ("{call: delete_object, objectId: id}", {"id": "\u00e9" * 76}, Notice.ID_LENGTH),
    ("{call: track, event_from: name, userId: id}", {"name": "n" * 101}, Notice.EVENT_NAME_LENGTH),
    ("{call: track, event: %s, userId: id}" % ("n" * 101), {}, Notice.EVENT_NAME_LENGTH),
    (IDENTIFY % ("{%s: id}" % ("n" * 151), ""), {}, Notice.TRAIT_NAME_LENGTH),
    (IDENTIFY % ("data", ""), {"data": {"n" * 151: 1}}, Notice.TRAIT_NAME_LENGTH),
    (IDENTIFY % ("{bio: data}", ""), {"data": "x" * 1001}, Notice.TRAIT_VALUE_SIZE),
    (IDENTIFY % ("data", ""), {"data": {f"t{n}": 0 for n in range(301)}}, Notice.TRAIT_COUNT),
    ("{call: group, groupId: id, traits: data}", {"data": {"x": ["y" * 997]}}, Notice.TRAIT_VALUE_SIZE),
    ("{mapper: 'meaning_mapper:plain'}", {"type": "identify", "userId": "u" * 151}, Notice.ID_LENGTH),
    ("{mapper: 'meaning_mapper:builder'}", {"call": "track", "names": ["n" * 101]}, Notice.EVENT_NAME_LENGTH),
]


@pytest.mark.parametrize(("rule", "event", "kind"), EXCESSES)
def test_a_call_beyond_a_limit_is_counted_rejected_or_sent(
    run: Any, rule: str, event: dict[str, Any], kind: Notice
) -> None:
    event = event if "mapper" in rule else {"id": "u", **event}
    warned = run(rule, profile="warn")
    (sent,) = warned(event)
    assert warned.notices == {kind: 1}
    rejecting = run(rule, profile="reject")
    assert rejecting(event) == "LIMIT_EXCEEDED"
    silent = run(rule, profile="off")
    assert silent(event) == [sent]
    assert not rejecting.notices
    assert not silent.notices


def test_a_call_within_all_limits_is_not_noticed(run: Any) -> None:
    warned = run(IDENTIFY % ("data", ""), profile="warn")
    within = {"n" * 150: 1, "bio": "x" * 1000, **{f"t{n}": 0 for n in range(298)}}
    assert len(warned({"id": "\u00e9" * 75, "data": within})) == 1
    assert not warned.notices


def test_names_that_the_rule_writes_are_warned_of_by_check(run: Any) -> None:
    long = run("{call: track, event: %s, userId: id}" % ("n" * 101))
    assert [warning.partition(": ")[0] for warning in long.warnings] == ["3:26"]
    trait = run(IDENTIFY % ("{%s: id}" % ("n" * 151), ""))
    assert [warning.partition(": ")[0] for warning in trait.warnings] == ["3:43"]
