"""What alerts and the dashboard watch, and the counters that the documents name."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b(?:pipelines_worker|process)_[a-z_]*[a-z]\b")

_ALERTS = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
_EXPRESSIONS = re.sub(r"^ *(summary|description|runbook_url):.*(\n {12}.*)*", "", _ALERTS, flags=re.MULTILINE)
ALERTED = set(NAME.findall(_EXPRESSIONS)) - {"pipelines_worker"}
"""The metrics in the alerts' expressions."""

_PANELS = json.loads((ROOT / "deploy/grafana/worker.json").read_text(encoding="utf-8"))["panels"]
QUERIES: dict[str, list[str]] = {
    panel["title"]: [target["expr"] for target in panel["targets"]] for panel in _PANELS
}
"""The dashboard's queries, by the title of their panel."""
DRAWN = {name for queries in QUERIES.values() for query in queries for name in NAME.findall(query)}

_OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
COUNTERS = {f"pipelines_worker_{name}" for name in re.findall(r"`(\w+_total)`", _OPERATIONS)}
LABELLED = {name.replace("_overall", "") for name in COUNTERS if "_overall_" in name}
"""The counters that appear with the first event of their labels, and have a total beside them."""


def total_of(counter: str) -> str:
    """The total beside a labelled counter."""
    return re.sub(r"(_bytes)?_total$", r"_overall\1_total", counter)
