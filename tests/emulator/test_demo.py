"""The demo as someone runs it who has just installed the worker."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO, Any

import pytest

from worker.demo.events import ExpectedOutcome, Sample
from worker.demo.summary import Expected, Observed, differences

DEMO = [sys.executable, "-m", "worker", "demo"]


def answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def until(stream: IO[str], pattern: str) -> str:
    """Read until a line contains the pattern; returns everything up to there."""
    read = ""
    for line in stream:
        read += line
        if re.search(pattern, line):
            return read
    raise AssertionError(f"the demo ended without saying {pattern}: {read}")


def test_the_demo_adds_up_from_anywhere_and_serves_its_pages_until_interrupted(tmp_path: Path) -> None:
    """One run shows all of it: `--exit` does no more than to interrupt itself."""
    with subprocess.Popen(
        DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as demo:
        assert demo.stderr is not None
        assert demo.stdout is not None
        said = until(demo.stderr, "until Ctrl-C")
        emulator, worker = re.findall(r"(http://\S+)", said)[:2]
        calls = answer(emulator + "/admin/summary")["calls"]
        totals = answer(worker + "/status.json")["totals"]
        demo.send_signal(signal.SIGINT)
        summary, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0, summary
    assert "All totals are as expected" in summary
    assert calls["taken"] + calls["duplicates"] >= totals["delivered"]
    assert totals["consumed"] == 4_000


def sample(outcome: ExpectedOutcome, calls: int, *, repeats: bool = False) -> Sample:
    return Sample("orders", b"k", b"{}", 0, outcome, calls, repeats)


def observed(**changes: int) -> Observed:
    calls = {"taken": 2, "duplicates_different": 0, "dropped": 0, "refused": 0}
    calls |= {name: value for name, value in changes.items() if name in calls}
    totals = {"consumed": 4, "ignored": 1, "dead_letters": {"UNMATCHED": 1}} | {
        name: value for name, value in changes.items() if name == "consumed"
    }
    return Observed(totals, changes.get("dead_letter_records", 1), 1.0, {"calls": calls})


EXPECTED = Expected.of(
    [
        sample(ExpectedOutcome.DELIVERED, 2),
        sample(ExpectedOutcome.DELIVERED, 1, repeats=True),
        sample(ExpectedOutcome.IGNORED, 0),
        sample(ExpectedOutcome.DEAD_LETTERED, 0),
    ]
)


def test_equal_totals_are_no_difference() -> None:
    assert differences(EXPECTED, observed()) == []


@pytest.mark.parametrize(
    "change",
    [{"consumed": 3}, {"dead_letter_records": 0}, {"taken": 1}, {"duplicates_different": 1}, {"refused": 1}],
)
def test_each_witness_can_contradict(change: dict[str, int]) -> None:
    assert len(differences(EXPECTED, observed(**change))) == 1
