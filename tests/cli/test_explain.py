"""`map --explain`, `map --diff` and what `map` reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import Cli

Write = Callable[[str, str], Path]

MAPPING = """\
topics: [orders]
rules:
  - when: type == 'order.completed' && customer.vip
    call: track
    event: Order Completed
    userId: customer.id
    properties: {total: "divide(total, count)", coupon: coupon}
  - when: type == 'order.mapped'
    mapper: failing:fail
  - when: type == 'order.gone'
    calls:
      - {call: identify, userId: customer.id}
      - {call: track, event: Order Gone, userId: customer.id}
"""


@pytest.fixture(autouse=True)
def configuration(write: Write) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/orders.yaml", MAPPING)
    write("config/failing.py", "def fail(event):\n    raise KeyError(event.value['id'])\n")


def test_every_rule_that_was_tried_is_shown_with_both_sides(cli: Cli, write: Write) -> None:
    path = write("e.json", '{"type": "order.complete", "customer": {"Vip": true}}')
    shown = cli("map", "--explain", path)
    assert shown == cli("map", path, "--explain")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == (
        "event 1\n"
        "  rule config/mappings/orders.yaml:3 does not match\n"
        "    when type == 'order.completed' && customer.vip\n"
        "      type == 'order.completed' is false\n"
        '        type is "order.complete"\n'
        "      customer.vip is not found: customer has no 'vip' (did you mean 'Vip'?)\n"
        "  rule config/mappings/orders.yaml:8 does not match\n"
        "    when type == 'order.mapped'\n"
        "      type == 'order.mapped' is false\n"
        '        type is "order.complete"\n'
        "  rule config/mappings/orders.yaml:10 does not match\n"
        "    when type == 'order.gone'\n"
        "      type == 'order.gone' is false\n"
        '        type is "order.complete"\n'
        "  ignored  no rule matched\n"
    )


def test_fields_and_a_refusal_have_their_value_and_place(cli: Cli) -> None:
    event = {"type": "order.completed", "customer": {"id": "c-1", "vip": True}, "total": 3, "count": 0}
    done = cli("map", "--explain", stdin=json.dumps(event).encode())
    assert done.code == 1
    assert "  rule config/mappings/orders.yaml:3 matches\n" in done.out
    assert '      userId (line 6): customer.id is "c-1"\n' in done.out
    assert "coupon (line 7): coupon is not found: the event has no 'coupon'" in done.out
    at = "config/mappings/orders.yaml:7:25"
    assert f"(rule config/mappings/orders.yaml:3, track, properties.total at {at})." in done.out
    assert f"  refused  properties.total at {at}: a failure: divide(): by zero\n" in done.out


def test_a_refused_value_is_reported_with_its_type(cli: Cli) -> None:
    event = {"type": "order.completed", "customer": {"id": {"a": 1}, "vip": 1}}
    done = cli("map", "--explain", stdin=json.dumps(event).encode())
    assert '  refused  userId at config/mappings/orders.yaml:6:13: an object with a: {"a": 1}\n' in done.out


def test_a_mapper_s_exception_is_shown_with_its_traceback(cli: Cli, write: Write) -> None:
    event = b'{"type": "order.mapped", "id": "i-1"}'
    for arguments in ([], ["--explain"]):
        done = cli("map", *arguments, stdin=event)
        assert "KeyError: 'i-1'" in done.err
        assert "in fail" in done.err
        assert "i-1" not in done.out
    write(
        "config/tests/a.yaml",
        "- name: fails\n  topic: orders\n  event: {type: order.mapped, id: i-1}\n  ignored: true\n",
    )
    tested = cli("test", "--junit", "report.xml")
    assert "KeyError: 'i-1'" in tested.out
    report = Path("report.xml").read_text()
    assert "rule config/mappings/orders.yaml:8, mapper at config/mappings/orders.yaml:9:13" in report


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ('{"type":\n  "x"\n}\n', ["no rule matched"]),
        ('\n[\n{"type": "x"},\n null, {\n}]', ["no rule matched", "tombstone", "no rule matched"]),
        ('[{"a": 1}, null]', ["no rule matched", "tombstone"]),
        ('{"a": 1}\nnull\n', ["no rule matched", "tombstone"]),
        ("null", ["tombstone"]),
        ("[]", []),
    ],
)
def test_documents_lines_and_arrays_are_events(cli: Cli, text: str, ignored: list[str]) -> None:
    done = cli("map", stdin=text.encode())
    assert [line["ignored"] for line in done.lines] == ignored
    assert done.code == 0


def test_input_that_is_no_document_is_read_as_one_event_per_line(cli: Cli) -> None:
    done = cli("map", stdin=b'{"a":\n{"b": 1}\n')
    assert [list(line) for line in done.lines] == [["rejected"], ["ignored"]]
    assert done.err == "2 events: 0 sent as 0 calls, 1 ignored, 1 rejected\n"


def test_numbers_in_an_array_stay_exact(cli: Cli) -> None:
    event = '{"type": "order.gone", "customer": {"id": 18446744073709551615}}'
    (line,) = cli("map", stdin=f"[{event}]".encode()).lines
    assert line["calls"][0]["userId"] == "18446744073709551615"


def test_raw_takes_the_bytes_of_one_value(cli: Cli, write: Write) -> None:
    write("value.bin", '{"type": "order.gone",\n"customer": {"id": "a"}}')
    for arguments in (["value.bin"], ["-"], []):
        done = cli("map", "--raw", *arguments, stdin=Path("value.bin").read_bytes())
        (line,) = done.lines
        assert len(line["calls"]) == 2
    prefixed = b"\x00\x00\x00\x00\x07" + Path("value.bin").read_bytes()
    assert len(cli("map", "--raw", "-", stdin=prefixed).lines[0]["calls"]) == 2
    (null,) = cli("map", "--raw", "-", stdin=b"null").lines
    assert null["rejected"]["reason"] == "NOT_AN_OBJECT"


def test_a_diff_says_what_changes(cli: Cli, write: Write) -> None:
    write(
        "old.yaml",
        MAPPING.replace("type == 'order.gone'", "type == 'order.gon'").replace("coupon: c", "x: c"),
    )
    events = [
        {"type": "order.gone", "customer": {"id": "a"}},
        {"type": "order.gon", "customer": {"id": "a"}},
        {"type": "order.completed", "customer": {"id": "a", "vip": True}, "coupon": "C"},
        {"type": "order.completed", "customer": {"id": "a", "vip": True}},
        {"type": "other"},
    ]
    done = cli("map", "--diff", "old.yaml", stdin="\n".join(map(json.dumps, events)).encode())
    assert done.code == 0
    first, second, third = done.out.split("event ")[1:]
    assert "newly sent; was ignored (no rule matched)" in first
    assert "+ call added: identify\n  + call added: track Order Gone" in first
    assert "newly ignored (no rule matched); was sent" in second
    assert "- call gone: track Order Gone" in second
    assert third.startswith("3\n  call different: track Order Completed\n")
    assert '-    "x": "C"' in third
    assert '+    "coupon": "C"' in third
    assert done.err.startswith(
        "3 of 5 events changed: 1 newly sent, 1 newly ignored, 1 with calls that are different"
    )


def test_a_diff_shows_newly_rejected_events(cli: Cli, write: Write) -> None:
    write("old.yaml", MAPPING.replace('"divide(total, count)"', "total"))
    event = {"type": "order.completed", "customer": {"id": "a", "vip": True}, "total": 1, "count": 0}
    done = cli("map", "--diff", "old.yaml", stdin=json.dumps(event).encode())
    assert done.code == 1
    assert "newly rejected with EXPRESSION_FAILED; was sent" in done.out
    write("old.yaml", MAPPING.replace("orders", "order"))
    wrong = cli("map", "--diff", "old.yaml", stdin=b"{}")
    assert wrong.code == 2
    assert "no mapping names the topic 'orders'; there are: order (did you mean 'order'?)" in wrong.err


IGNORING = """\
  - when: type == 'order.test'
    ignore: true
  - {when: list, call: track, event: Received, userId: $item, for_each: "list[?@ != 'x']"}
"""


def test_records_that_a_rule_ignores_are_told_apart(cli: Cli, write: Write) -> None:
    write("config/mappings/orders.yaml", MAPPING + IGNORING)
    done = cli("map", stdin=b'{"type": "order.test"}\n{"list": ["x"]}\n{"type": "other"}\nnull\n')
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"ignored": "ignored by config/mappings/orders.yaml:14"},
        {"ignored": "for_each found no items"},
        {"ignored": "no rule matched"},
        {"ignored": "tombstone"},
    ]


def test_a_diff_shows_that_a_rule_ignores_events_and_not_that_it_moved(cli: Cli, write: Write) -> None:
    write("config/mappings/orders.yaml", MAPPING + IGNORING)
    events = b'{"type": "order.test"}\n{"list": ["a"]}\n'
    write("old.yaml", f"# one more line\n{MAPPING}{IGNORING}")
    assert cli("map", "--diff", "old.yaml", stdin=events).err.startswith("0 of 2 events changed")
    write("old.yaml", MAPPING)
    done = cli("map", "--diff", "old.yaml", stdin=events)
    assert "ignored (ignored by config/mappings/orders.yaml:14); was ignored (no rule matched)" in done.out
    assert "newly sent; was ignored (no rule matched)" in done.out


FIXTURES = """\
- name: an order that is completed
  topic: orders
  event: {type: order.completed, customer: {id: a}}
  calls: [{type: track, userId: a, event: Order Completed, properties: {}}]
- name: an order that is gone
  topic: orders
  event: {type: order.gone, customer: {id: "null"}}
  calls: []
- name: anything else
  topic: orders
  event: {type: order.gone, customer: {id: "a"}}
  ignored: true
"""


def test_fixtures_can_be_chosen_by_name(cli: Cli, write: Write) -> None:
    write("config/tests/a.yaml", FIXTURES)
    done = cli("test", "-k", "COMPLETED")
    assert done.code == 1
    assert done.err == "0 passed, 1 differ\n"
    missing = cli("test", "-k", "anythin els")
    assert (missing.code, missing.out) == (1, "")
    assert "did you mean 'anything else'?" in missing.err


def test_an_update_reports_newly_ignored_and_rejected_events(cli: Cli, write: Write) -> None:
    write("config/tests/a.yaml", FIXTURES.replace("calls: []", "calls:\n    - {type: identify}"))
    done = cli("test", "--update")
    assert done.code == 0
    first, second, third, *_ = done.err.splitlines()
    at = "config/tests/a.yaml"
    assert first == f"{at}:1: an order that is completed: is ignored (no rule matched) now, was sent"
    assert second == f"{at}:5: an order that is gone: is rejected with FORBIDDEN_ID now, was sent"
    assert third == f"{at}:10: anything else: is sent now, was ignored"


def test_a_fixture_whose_topic_no_mapping_names_differs(cli: Cli, write: Write) -> None:
    path = write("config/tests/a.yaml", "- {name: a, topic: order, event: {}, ignored: true}\n")
    for arguments in ([], ["--update"]):
        done = cli("test", *arguments)
        assert done.code == 1
        assert "no mapping names the topic 'order'; there are: orders (did you mean 'orders'?)" in done.out
    assert "ignored: true" in path.read_text()


def test_expressions_that_no_fixture_fills_are_listed(cli: Cli, write: Write) -> None:
    write(
        "config/tests/a.yaml",
        "- name: a\n  topic: orders\n  event: {type: order.completed, customer: {id: a, vip: true}}\n  calls:\n"
        "    - {type: track, userId: a, event: Order Completed, properties: {}}\n",
    )
    done = cli("test")
    assert done.code == 0
    said = "config/mappings/orders.yaml: no fixture fills properties.total (7:25), properties.coupon (7:57)"
    assert said in done.err


def test_check_coverage_reports_uncovered_rules_as_errors(cli: Cli, write: Write) -> None:
    write(
        "config/tests/a.yaml",
        "- name: a\n  topic: orders\n  event: {type: order.completed, customer: {id: a, vip: true}}\n  calls:\n"
        "    - {type: track, userId: a, event: Order Completed, properties: {}}\n"
        "- {topic: orders, event: {type: other}, ignored: true}\n",
    )
    assert cli("check").code == 0
    done = cli("check", "--coverage")
    assert done.code == 1
    assert done.out.splitlines() == [
        "config/mappings/orders.yaml:7:25: no fixture fills properties.total",
        "config/mappings/orders.yaml:7:57: no fixture fills properties.coupon",
        "config/mappings/orders.yaml:8: no fixture reaches this rule",
        "config/mappings/orders.yaml:10: no fixture reaches this rule",
        "config/tests/a.yaml:6: no rule matches this event",
    ]


def test_reasons_are_listed_and_explained(cli: Cli) -> None:
    listed = cli("reasons")
    assert listed.code == 0
    assert "\nMISSING_ID: " in listed.out
    one = cli("reasons", "missing_id")
    assert one.out.startswith("MISSING_ID\n  meaning  ")
    assert "  to do    " in one.out
    assert cli("reasons", "INVALID").out.count("meaning") > 3
    wrong = cli("reasons", "MISING_ID")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean 'MISSING_ID'?" in wrong.err
