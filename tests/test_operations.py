"""`docs/operations.md` explains every reason, alert and metric of the worker."""

from __future__ import annotations

import re
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
HEADINGS = {section.title for section in markdown.sections(OPERATIONS)}


def test_every_reason_has_a_runbook_entry_and_a_section_with_the_same_text() -> None:
    assert REASONS.keys() <= RUNBOOK.keys()
    assert RUNBOOK.keys() <= HEADINGS
    for reason, entry in RUNBOOK.items():
        text = OPERATIONS.partition(f"#### {reason}\n")[2].partition("\n#")[0]
        for words in entry:
            assert str(words) in text, f"{reason}: {words}"


def test_every_reason_of_readyz_has_a_section() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(str(worker.__file__)).parent.rglob("*.py")]
    literal = {
        code
        for source in sources
        for code in re.findall(r'"reason": "([A-Z_]+)"|_current(?:\.setdefault\(|\[)"([A-Z_]+)"', source)
    }
    reasons = {part for found in literal for part in found if part}
    assert {"JOINING", "DEAD_LETTERS_REFUSED", "KAFKA_UNREACHABLE"} <= reasons
    reasons |= {STORM, FAILING, UNCONFIRMED, *HOLD_REASONS.values(), "REDIRECTED", "UNEXPECTED_ANSWER"}
    assert reasons <= HEADINGS


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
