"""The numbers of docs/sizing.md follow from those that were measured."""

from __future__ import annotations

import math
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
SIZING = (DOCS / "sizing.md").read_text(encoding="utf-8")
PERFORMANCE = (DOCS / "performance.md").read_text(encoding="utf-8")

CALLS_PER_REQUEST = 1260
IN_FLIGHT = 8


def number(text: str) -> int:
    """The first whole number in a cell."""
    return int(re.findall(r"\d[\d,]*", text)[0].replace(",", ""))


def rows(heading: str) -> list[list[str]]:
    """The table under a heading, without its head."""
    section = SIZING.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def seconds(latency: str) -> float:
    return number(latency) * (0.001 if latency.endswith("ms") else 1)


CAPACITY = {latency: number(events) for latency, events, _ in rows("What one process delivers")}


def test_what_was_measured_is_in_the_performance_report() -> None:
    for latency, events, source in rows("What one process delivers"):
        if source == "measured":
            [row] = re.findall(rf"throughput at {latency} latency.*?; ([\d,]+)/s", PERFORMANCE)
            assert number(row) == number(events)


def test_memory_is_what_was_measured() -> None:
    told = {state: [int(each) for each in re.findall(r"\d+", mib)] for state, mib in rows("Memory")}
    measured = re.findall(r"resident memory: ([^|]+?) \| [^|]+ \| (\d+) \(", PERFORMANCE)
    assert [int(mib) for _, mib in measured] == [
        told["idle"][0],
        told["a backlog, the API responds"][0],
        told["the API down, `memory` as by default: 50,000 records in progress"][-1],
    ]


def test_what_was_not_measured_follows_from_the_bound() -> None:
    for latency, events, source in rows("What one process delivers"):
        if source != "measured":
            bound = IN_FLIGHT * CALLS_PER_REQUEST / seconds(latency)
            assert math.isclose(0.94 * bound, number(events), rel_tol=0.02)


def test_processes_and_requests_follow_from_the_load() -> None:
    table = rows("From load to processes")
    assert len(table) > 5
    for events, latency, processes, partitions, _, requests in table:
        one = CAPACITY[latency.removeprefix("up to ")]
        assert number(processes) == math.ceil(number(events) / (0.7 * one))
        assert number(partitions) >= 2 * number(processes)
        if requests != "few":
            assert number(requests.removeprefix("at least ").partition(" in")[0]) == math.ceil(
                3 * number(events) / CALLS_PER_REQUEST
            )
