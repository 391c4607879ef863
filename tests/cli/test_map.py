"""`map`: what would be sent for events."""

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
  - when: type == 'order.completed'
    call: track
    event: Order Completed
    userId: _kafka.key
    timestamp: at
    properties: {source: _kafka.headers.source, total: total}
"""

EVENT = b'{"type": "order.completed", "at": "2026-11-21T10:00:00Z", "total": 1.50}'


@pytest.fixture(autouse=True)
def configuration(write: Write) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/orders.yaml", MAPPING)


def test_each_event_gets_a_line_exactly_as_it_would_be_sent(cli: Cli) -> None:
    lines = [EVENT, b"", b"{not json", b'{"type": "other"}', b"  ", b"[1]"]
    done = cli("map", "--key", "cust-1", "--header", "source=web=1", stdin=b"\r\n".join(lines))
    assert done.code == 1
    completed, broken, other, no_object = done.lines
    (call,) = completed["calls"]
    assert call.pop("messageId")
    assert call == {
        "type": "track",
        "userId": "cust-1",
        "event": "Order Completed",
        "timestamp": "2026-11-21T10:00:00.000Z",
        "properties": {"source": "web=1", "total": 1.5},
    }
    assert broken["rejected"].keys() == {"stage", "reason", "detail"}
    assert broken["rejected"]["reason"] == "INVALID_JSON"
    assert other == {"ignored": "no rule matched"}
    assert no_object["rejected"]["reason"] == "NOT_AN_OBJECT"


def test_nothing_rejected_exits_0(cli: Cli, write: Write) -> None:
    path = write("events.jsonl", '{"type": "other"}\n')
    assert cli("map", path).code == 0
    assert cli("map", stdin=b"").code == 0


def test_a_rejection_does_not_quote_the_event(cli: Cli) -> None:
    done = cli("map", stdin=b'{"type": "order.completed", "at": "ada@example.com"} \n"ada@example.com')
    assert done.code == 1
    assert "ada@" not in done.out + done.err


def test_two_events_never_share_a_message_id(cli: Cli) -> None:
    done = cli("map", "--key", "a", stdin=EVENT + b"\n" + EVENT)
    assert len({line["calls"][0]["messageId"] for line in done.lines}) == 2


def test_a_huge_line_is_an_event_like_any_other(cli: Cli) -> None:
    event = {"type": "order.completed", "at": "2026-11-21T10:00:00Z", "total": "x" * 3_000_000}
    (line,) = cli("map", "--key", "a", stdin=json.dumps(event).encode()).lines
    assert line["rejected"]["reason"] == "CALL_TOO_LARGE"


def test_a_topic_that_no_mapping_names_is_a_usage_error(cli: Cli, write: Write) -> None:
    done = cli("map", "--topic", "order", stdin=EVENT)
    assert (done.code, done.out) == (2, "")
    assert "there are: orders" in done.err
    write("config/mappings/other.yaml", MAPPING.replace("orders", "returns"))
    done = cli("map", stdin=EVENT)
    assert (done.code, done.out) == (2, "")
    assert "--topic takes one of: orders, returns" in done.err
    assert cli("map", "--topic", "returns", "--key", "a", stdin=EVENT).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--header", "no-equals"],
        ["--header", "=x"],
        ["none.jsonl"],
        ["--explain", "orders:1"],
        ["--explain", "orders:a:1"],
        ["--explain", "orders:0:1", "--from-topic", "orders"],
        ["--limit", "0"],
    ],
)
def test_a_wrong_option_is_a_usage_error(cli: Cli, arguments: list[str]) -> None:
    done = cli("map", *arguments, stdin=EVENT)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_it_runs_in_a_pipe_without_a_key_in_the_environment(program: Cli) -> None:
    done = program("map", "--key", "a", stdin=EVENT)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0]["calls"][0]["event"] == "Order Completed"


def test_source_prints_the_function_that_the_mapping_is_compiled_to(cli: Cli) -> None:
    done = cli("map", "--source")
    assert done.code == 0
    assert done.out.startswith("# <mapping config/mappings/orders.yaml>\ndef convert(")
    assert "'Order Completed'" in done.out
    compile(done.out, "printed", "exec")


@pytest.mark.parametrize("text", [b"", b"\n\n", b"[]"])
def test_input_without_events_is_reported(cli: Cli, text: bytes) -> None:
    done = cli("map", stdin=text)
    assert (done.code, done.out) == (0, "")
    assert done.err == "0 events: 0 sent as 0 calls, 0 ignored, 0 rejected\n"


def test_a_folder_of_events_is_a_usage_error(cli: Cli) -> None:
    done = cli("map", "config")
    assert done.code == 2
    assert "'config' is a folder" in done.err
