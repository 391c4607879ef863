"""Write what the Helm chart has from elsewhere: the schema of worker.yaml, the alerts and the dashboard (`make docs`).

A chart can read only files in its own folder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from worker.settings import Settings

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy/helm"
COPIES = {
    "deploy/prometheus/alerts.yml": "files/alerts.yml",
    "deploy/grafana/worker.json": "files/dashboard.json",
}


def with_worker_schema(schema: str) -> str:
    """The chart's schema, in which `config` is held to the worker's own."""
    values = json.loads(schema)
    config = Settings.json_schema()
    del config["$schema"]
    values["properties"]["config"] = config
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the chart's schema and its copies."""
    path = CHART / "values.schema.json"
    path.write_text(with_worker_schema(path.read_text(encoding="utf-8")), encoding="utf-8")
    for source, copy in COPIES.items():
        shutil.copyfile(ROOT / source, CHART / copy)


if __name__ == "__main__":
    write()
