"""Everything comes to rest: lag 0, the right exit codes, and logs without anything unexpected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.campaign.history import SECRET, Exit, History
from tests.campaign.judge.findings import Broken
from tests.campaign.world import DRAIN_SECONDS
from tests.support.ledger import PERSON, TEXT

REST = "in the end everything is committed, and every member is ready"
EXIT = "a member that is asked to leave drains and exits with 0"
LOG = "the log has nothing unexpected"
PRIVATE = "no log has data of records, ids of people, or keys"

EXPECTED_ERRORS = {
    "delivery_held": {"api"},
    "process_ended": {"kill child", "kill", "stop", "restart the broker", "kill the broker"},
    "process_killed": {"stop", "restart the broker", "kill the broker"},
    "kafka_failed": {"restart the broker", "kill the broker", "add partitions", "kill", "kill child"},
    "kafka_client_failed": {"restart the broker", "kill the broker", "kill", "kill child"},
    "kafka_client_logged": {"restart the broker", "kill the broker"},
    "dead_letters_failed": {"restart the broker", "kill the broker"},
}
"""Lines of the level `error`, each with the faults that explain it. A static member that was killed and is back is
refused, and its client replaced, until its session has ended."""


def findings(history: History) -> Iterator[Broken]:
    """All that is wrong when a world has come to rest."""
    yield from _rest(history)
    for end in history.exits:
        yield from _exit(end)
    for run, log in history.logs.items():
        yield from _log(history, run, log)


def _rest(history: History) -> Iterator[Broken]:
    for partition, end in history.ends.items():
        if (committed := history.committed.get(partition, 0)) != end:
            yield Broken(REST, f"{partition[0]}:{partition[1]}", f"committed {end}", f"{committed}")
    for reasons in history.not_ready:
        yield Broken(REST, "readiness", "ready", reasons)


def _exit(end: Exit) -> Iterator[Broken]:
    allowed = {0, 1} if end.at_once or end.seconds >= DRAIN_SECONDS else {0}
    if end.code not in allowed:
        yield Broken(EXIT, end.run, f"one of {sorted(allowed)}", f"{end.code} after {end.seconds:.1f}s")


def _log(history: History, run: str, log: str) -> Iterator[Broken]:
    for private in (PERSON, TEXT, SECRET):
        if private in log:
            yield Broken(PRIVATE, run, "none", private)
    for number, text in enumerate(log.splitlines(), 1):
        line = _parsed(text)
        where = f"{run}, line {number}"
        if line is None:
            yield Broken(LOG, where, "a JSON object", text[:300])
        elif "stack" in line or "exception" in line:
            yield Broken(LOG, where, "no exception", text[:1000])
        elif line["level"] == "error" and not _is_expected(history, line["event"]):
            yield Broken(LOG, where, "no such error", text[:500])


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _is_expected(history: History, event: str) -> bool:
    return bool(EXPECTED_ERRORS.get(event, set()) & history.happened)
