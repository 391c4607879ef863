"""The alerts fire at the first event and not otherwise, whatever the job is called, and each has a runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support import markdown
from tests.support.tools import tool

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for rule in yaml(FOLDER / "alerts.yml")["groups"][0]["rules"]
}
CASES = [
    case for test in yaml(FOLDER / "alerts_test.yml")["tests"] for case in test.get("alert_rule_test", ())
]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )


def test_the_alerts_fire_when_they_must_and_not_otherwise() -> None:
    done = promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_test_would_notice_an_alert_that_misses_its_first_event(tmp_path: Path) -> None:
    """Without the lines for what is born at its first value."""
    alerts = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    blunt, n = re.subn(r"\n +or sum[^\n]+\n +unless [^\n]+ > 0\n", "\n", alerts)
    assert n >= 6
    (tmp_path / "alerts.yml").write_text(blunt, encoding="utf-8")
    (tmp_path / "alerts_test.yml").write_bytes((FOLDER / "alerts_test.yml").read_bytes())
    done = promtool("test", "rules", str(tmp_path / "alerts_test.yml"))
    assert done.returncode == 1
    missed = set(re.findall(r"alertname: (\w+)", done.stdout + done.stderr))
    assert {"RecordsLost", "PartitionsRestarted", "DeadLettersCannotBeWritten"} <= missed


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_to_fire_and_to_be_quiet(name: str) -> None:
    fires = [bool(case["exp_alerts"]) for case in CASES if case["alertname"] == name]
    assert set(fires) == {True, False}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_links_to_its_own_section_of_the_runbook(name: str) -> None:
    url = ALERTS[name]["annotations"]["runbook_url"]
    assert re.fullmatch(r"https://[\w./-]+/docs/operations\.md#" + name.lower(), url)
    assert name.lower() in markdown.anchors(OPERATIONS)
    assert f"\n### {name}\n" in OPERATIONS
    severity = ALERTS[name]["labels"]["severity"]
    assert OPERATIONS.partition(f"\n### {name}\n\n")[2].lower().startswith(severity)


def test_nothing_depends_on_the_name_of_the_job() -> None:
    for path in (FOLDER / "alerts.yml", ROOT / "deploy/grafana/worker.json"):
        assert not re.search(r"\bjob\s*(=|!=|\))", path.read_text(encoding="utf-8"))
    tested = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
    assert 'job="team/pod-monitor"' in tested
    assert 'job="pipelines-worker"' not in tested
