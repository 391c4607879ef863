"""What commands print on a terminal is no wider than the terminal, whatever the texts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import Cli

Write = Callable[[str, str], Path]

MAPPING = """\
topics: [orders-of-the-whole-company-with-a-long-name]
rules:
  - when: type == 'order.completed' && customer.profile.preferences.language != 'a language that is never used'
    call: track
    event: Order Completed
    userId: customer.profile.identification.number_of_the_customer
    properties: {a_property_with_a_long_name: "order.lines[].name", total: order.total}
  - when: type == 'order.cancelled'
    call: track
    event: Order Canceled
    userId: missing.field.that.nobody.has || another.field.that.nobody.has || customer.identification
"""
FIXTURES = """\
- name: an order with a name that is rather long, as people write them when they want to be exact about what it shows
  topic: orders-of-the-whole-company-with-a-long-name
  event: {type: order.completed, customer: {id: c-1}}
  calls: [{type: track, userId: c-1, event: Order Completed, properties: {total: 9.5}}]
- name: another one
  topic: orders-of-the-whole-company-with-a-long-nam
  event: {type: order.completed}
  ignored: true
"""
EVENT = (
    '{"type": "order.completed", "customer": {"profile": {"identification": {"number_of_the_customer": "c-1"},'
    ' "preferences": {"language": "en"}}}, "order": {"total": 9.5, "lines": [{"name": "%s"}]}}\n'
    '{"type": "order.cancelled"}\n{"type": "other"}\n' % ("a long name " * 40)
)
COMMANDS = [
    ["map", "events.jsonl"],
    ["map", "events.jsonl", "--explain"],
    ["map", "events.jsonl", "--diff", "old.yaml"],
    ["test"],
    ["check"],
    ["check", "--coverage"],
    ["functions"],
    ["functions", "time"],
    ["reasons"],
    ["reasons", "INVALID"],
    ["events", "Order Completed"],
    ["init", "elsewhere"],
]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch, command: list[str], columns: int
) -> None:
    write("config/worker.yaml", "mappings: [config/mappings/*.yaml]\n")
    write("config/mappings/orders.yaml", MAPPING)
    write("old.yaml", MAPPING.replace("Completed", "Done").replace("total: order.total", "sum: order.total"))
    write("config/tests/orders.yaml", FIXTURES)
    write("events.jsonl", EVENT)
    monkeypatch.setenv("COLUMNS", str(columns))
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    done = cli(*command)
    assert done.code in {0, 1}, done.err
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.out + done.err)
    assert text
    for line in text.splitlines():
        assert len(line) <= columns or " " not in line.strip(), line
