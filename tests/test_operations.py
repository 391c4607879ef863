"""`docs/operations.md` explains every reason, alert and metric of the worker."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import worker
from tests.support import markdown
from worker.core.reasons import REASONS
from worker.dead_letters.runbook import RUNBOOK, UNKNOWN, Fault, entry_for
from worker.pipeline.committing import FAILING
from worker.pipeline.dead_lettering import STORM
from worker.pipeline.delivery import HOLD_REASONS
from worker.pipeline.standstill import UNCONFIRMED
from worker.telemetry.telemetry import Telemetry

ROOT = Path(__file__).parents[1]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NAMED = {"STORM": STORM, "FAILING": FAILING, "UNCONFIRMED": UNCONFIRMED}
"""Reasons that have a name in the code."""

HEADINGS = {section.title for section in markdown.sections(OPERATIONS)}


def test_every_reason_has_a_runbook_entry_and_a_section_with_the_same_text() -> None:
    assert REASONS.keys() <= RUNBOOK.keys()
    assert RUNBOOK.keys() <= HEADINGS
    for reason, entry in RUNBOOK.items():
        text = OPERATIONS.partition(f"#### {reason}\n")[2].partition("\n#")[0]
        for words in entry:
            assert str(words) in text, f"{reason}: {words}"


def test_readyz_has_a_section_for_each_of_its_reasons_and_no_other() -> None:
    reasons = {STORM, *HOLD_REASONS.values(), "REDIRECTED", "UNEXPECTED_ANSWER"}  # `Delivery.hold`
    for path in Path(str(worker.__file__)).parent.rglob("*.py"):
        reasons |= set(readyz_reasons(ast.parse(path.read_text(encoding="utf-8"))))
    assert {"JOINING", "DEAD_LETTERS_REFUSED", "KAFKA_UNREACHABLE", "COMMIT_FAILING"} <= reasons
    sections = dict(re.findall(r"^### ([A-Z_]+)\n\n(.*?)(?=\n\n##)", OPERATIONS, re.MULTILINE | re.DOTALL))
    assert sections.keys() == reasons
    for reason, text in sections.items():
        meaning, _, action = text.partition("**Do:** ")
        assert meaning, f"{reason}: say what it means"
        assert action, f"{reason}: say what to do"


def readyz_reasons(module: ast.Module) -> Iterator[str]:
    """The reasons in a module: of each `{"reason": ..., "detail": ...}`, and of the Kafka client's current errors."""
    for node in ast.walk(module):
        found: ast.expr | None = None
        if isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            found = node.values[0] if keys == ["reason", "detail"] else None
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "self._set",
            "self._reason",
            "_missing",
        }:
            found = node.args[0]
        if isinstance(found, ast.Constant):
            yield str(found.value)
        elif isinstance(found, ast.Name) and found.id.isupper():
            yield NAMED[found.id]


@pytest.mark.parametrize("status", [*range(300, 400), 403, 404, 408, 425, 500, 503, 599])
def test_every_status_has_a_runbook_entry(status: int) -> None:
    assert entry_for(f"HTTP_{status}") is RUNBOOK["HTTP_5xx" if status >= 500 else "HTTP_xxx"]


def test_an_unknown_code_is_attributed_to_mappers_or_kafka_connect() -> None:
    assert entry_for("TOO_OLD") is UNKNOWN
    assert UNKNOWN.fault is Fault.ELSEWHERE


def test_every_metric_is_documented_under_its_prometheus_name() -> None:
    telemetry = Telemetry()
    for instrument in vars(telemetry._measure).values():
        tell = instrument.add if hasattr(instrument, "add") else instrument.record
        tell(1)
    shown = re.findall(r"^# TYPE pipelines_worker_(\S+)", telemetry.prometheus().decode(), re.MULTILINE)
    (table,) = re.findall(r"## Metrics\n(.*?)\n## ", OPERATIONS, re.DOTALL)
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {*shown, "partition_lag", "partition_oldest_undelivered_seconds", "records_ignored_share"}
    telemetry.shutdown()
