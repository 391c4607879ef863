"""`dlq resolve` and the states of dead letters on a real Kafka; and that no line is wider than the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from typing import Any

import pytest

from tests.support.dead_letters import dead_letter_record
from tests.support.dlq_command import Dlq
from tests.support.kafka_client import Headers
from tests.support.ledger import PERSON, TEXT
from tests.support.program import ROOT
from tests.support.terminal import on_a_terminal
from tests.support.worker_process import API_KEY, Site
from worker.emulator import Emulator, Fault

pytestmark = pytest.mark.kafka

MAPPING = """\
topics: [{topic}]
rules:
  - {{when: type == 'happened', call: track, event: Something Happened, userId: person, properties: {{text: text}}}}
"""
NOW = time.time()
WRITTEN: Counter[tuple[str, int]] = Counter()
"""Dead letters by topic and partition."""


@pytest.fixture
def dlq(site: Site) -> Dlq:
    site.mapping = MAPPING.format(topic=site.topic)
    return Dlq(site)


def append(site: Site, origin: int, partition: int = 0, own: Headers | None = None, **facts: Any) -> str:
    """Write a dead letter as a worker would have; returns its handle, as long as nothing else was written."""
    value = f'{{"type": "happened", "person": "{PERSON}", "text": "{TEXT} {"long " * 300}"}}'.encode()
    record = dead_letter_record(
        origin=(site.topic, partition, origin),
        value=value,
        millis=int(NOW * 1000),
        failed_at=NOW,
        rule="config/mappings/events.yaml:3",
        **facts,
    )
    headers: Headers = [*(own or []), *(record.headers() or [])]
    site.kafka.append(site.dead_letters, partition, [value], key=b"key", headers=headers)
    place = site.dead_letters, partition
    WRITTEN[place] += 1
    return f"{site.dead_letters}:{partition}:{WRITTEN[place] - 1}"


def counts(listed: dict[str, Any]) -> tuple[int, int, int]:
    return listed["waiting"], listed["resolved"], listed["failed_again"]


async def test_dead_letters_are_resolved_by_hand_and_wait_again_after_an_undo(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    mallory: Headers = [("dlq.resolved", b"0:0-9"), ("dlq.unresolved", b"0:0-9"), ("dlq.note", b"mine")]
    first, second = append(site, 1, own=mallory), append(site, 2)
    third = append(site, 3, 1, reason="HTTP_400")
    assert counts(await dlq.listed()) == (3, 0, 0)

    asked = await dlq("resolve", first)
    assert (asked.code, asked.out) == (2, "")
    assert "--yes is required" in asked.err
    for wrong in ([], [first, "--all"], [first, "--reason", "X"], ["--all", "--topic", "x"], ["here"]):
        assert (await dlq("resolve", "--yes", *wrong)).code == 2
    missing = await dlq("resolve", "--yes", first, f"{site.dead_letters}:0:99")
    assert (missing.code, "nothing was marked" in missing.err) == (1, True)
    assert counts(await dlq.listed()) == (3, 0, 0)

    done = await dlq("resolve", first, f"{site.topic}:1:3", "--note", "test data", "--yes")
    assert (done.code, done.out) == (0, "2 resolved\n")
    listed = await dlq.listed("--resolved")
    assert counts(listed) == (1, 2, 0)
    assert {each["example"] for each in listed["groups"]} == {first, third}
    assert {each["resolved"]["note"] for each in listed["groups"]} == {"test data"}
    assert all("@" in each["resolved"]["who"] for each in listed["groups"])
    assert "resolved: by hand" in (await dlq("list", "--resolved")).out
    shown = (await dlq("show", first)).out
    assert "resolved: by hand" in shown
    assert "test data" in shown
    again = await dlq("resolve", first, "--yes")
    assert (again.code, again.out) == (0, "0 selected\n")
    assert "is resolved already" in again.err

    code, table = await dlq.replayed()
    assert (code, table["delivered"], table["resolved before"]) == (0, 1, 2)
    by_replay = await dlq.listed("--resolved", "--reason", "MISSING_ID")
    assert {each["resolved"]["how"] for each in by_replay["groups"]} == {"by hand", "delivered by a replay"}
    assert (await dlq("show", second)).out.count("resolved: delivered by a replay") == 1

    done = await dlq("resolve", "--undo", "--reason", "HTTP_400", "--reason", "MISSING_ID", "--yes")
    assert (done.code, done.out) == (0, "3 waiting again\n")
    assert counts(await dlq.listed()) == (3, 0, 0)
    assert (await dlq("resolve", "--all", "--yes")).out == "3 resolved\n"
    assert counts(await dlq.listed()) == (0, 3, 0)
    assert PERSON not in dlq.said


async def test_a_record_that_failed_again_counts_once_and_its_newest_dead_letter_waits(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    old = append(site, 1)
    emulator.faults.add(Fault(status=400, errors=["no"]))
    code, table = await dlq.replayed()
    assert (code, table["failed again: HTTP_400"]) == (1, 1)
    assert counts(await dlq.listed()) == (1, 0, 1)
    (group,) = (await dlq.listed())["groups"]
    shown = (await dlq("show", old)).out
    assert "failed again: a newer dead letter of the same record is waiting" in shown
    assert group["example"] in shown
    only_old = await dlq("resolve", old, "--yes")
    assert (only_old.code, only_old.out) == (0, "0 selected\n")
    assert "failed again" in only_old.err
    assert counts(await dlq.listed()) == (1, 0, 1)
    assert (await dlq("resolve", group["example"], "--yes")).out == "1 resolved\n"
    assert counts(await dlq.listed()) == (0, 1, 0)
    assert "resolved: by hand" in (await dlq("show", old)).out


async def test_a_filter_that_selects_nothing_says_what_there_is(site: Site, dlq: Dlq) -> None:
    append(site, 1)
    ends = site.ends(site.dead_letters)
    for command in (["list"], ["replay"], ["replay", "--dry-run"], ["resolve", "--yes"]):
        done = await dlq(*command, "--reason", "MISING_ID")
        assert done.code == 0, done.err
        assert "0 selected\n" in done.out
        assert "--reason MISING_ID selects nothing (did you mean 'MISSING_ID'?)" in done.err
        wrong = await dlq(*command, "--stage", "vaildate")
        assert (wrong.code, wrong.out) == (2, "")
        assert "did you mean 'validate'?" in wrong.err
    assert (
        "MISSING_ID (1)"
        in (await dlq("list", "--stage", "map")).err + (await dlq("list", "--reason", "X")).err
    )
    assert "failed from" in (await dlq("list", "--until", "30d")).err
    assert (await dlq.waiting("--since", "1s", "--until", "0s", "--since", "1h")) == {"MISSING_ID": 1}
    assert site.ends(site.dead_letters) == ends


async def test_a_limit_counts_what_it_left_by_what_it_left(site: Site, dlq: Dlq, emulator: Emulator) -> None:
    for n in range(3):
        append(site, n)
    append(site, 3, reason="HTTP_400")
    append(site, 4, replays=5)
    code, table = await dlq.replayed("--limit", "1", "--reason", "MISSING_ID")
    left = {name: n for name, n in table.items() if name.startswith("left alone")}
    assert (code, table["delivered"]) == (0, 1)
    assert left == {
        "left alone: over the limit (--limit)": 2,
        "left alone: not selected by the filters": 1,
        "left alone: too many replays (--include-replayed)": 1,
    }


async def test_a_replay_says_where_to_and_how_much_and_asks_on_a_terminal(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    append(site, 1)
    append(site, 2, reason="HTTP_400", own=[("x", b"y")])
    command = [sys.executable, "-m", "worker", "dlq", "replay"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PIPELINES_API_KEY": API_KEY}
    site.configure()

    async def replay(*options: str, answer: str = "") -> tuple[int, str]:
        return await asyncio.to_thread(
            on_a_terminal, [*command, *options], site.folder, environ, answer=answer
        )

    code, screen = await replay(answer="n\n")
    host = emulator.address.partition("//")[2]
    assert f"Replay to {host}: 2 dead letters, 2 calls" in screen
    assert "2  events (1 person) younger than 72 hours: may start campaigns" in screen
    assert "0  events older than 72 hours" in screen
    assert "0  profile updates older than a later record of the same key" in screen
    assert (code, "nothing was done" in screen, emulator.received.counts["taken"]) == (1, True, 0)
    code, screen = await replay("--limit", "1", answer="y\n")
    assert (code, emulator.received.counts["taken"]) == (0, 1)
    code, screen = await replay("--yes")
    assert (code, "Send them?" in screen, emulator.received.counts["taken"]) == (0, False, 2)
    assert all(len(line) <= 80 for line in screen.splitlines())
    assert counts(await dlq.listed()) == (0, 2, 0)


@pytest.mark.parametrize("columns", [80, 120])
async def test_no_line_of_a_dlq_command_is_wider_than_the_terminal(
    site: Site, dlq: Dlq, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    handle = append(site, 1)
    append(site, 2, reason="A_MAPPER_S_OWN_CODE_" + "X" * 40)
    await dlq("resolve", handle, "--note", "a long note " * 20, "--yes")
    append(site, 3, own=[("trace", b"a b " * 200)])
    monkeypatch.setenv("COLUMNS", str(columns))
    commands = [
        ["list"],
        ["list", "--resolved"],
        ["list", "--reason", "X"],
        ["show", handle],
        ["replay", "--dry-run"],
    ]
    commands += [
        ["show", handle, "--reveal", "--full"],
        ["show", f"{site.topic}:0:9"],
        ["list", "--stage", "x"],
    ]
    for command in commands:
        done = await dlq(*command)
        for line in (done.out + done.err).splitlines():
            assert len(line) <= columns or " " not in line.strip(), line
    assert f" {handle}" in (await dlq("list", "--resolved")).out
