"""The Helm chart, rendered: by `helm template`, and as the files that a pod then has."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.tools import tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))

EVERYTHING: dict[str, Any] = {
    "config": {"kafka": {"bootstrap_servers": "kafka:9092"}},
    "workload": "StatefulSet",
    "processes": 2,
    "networkPolicy": {"restrictEgress": True, "ports": [8081], "from": [{"namespaceSelector": {}}]},
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "runbookUrl": "https://wiki.example/worker"},
    "dashboard": {"enabled": True, "annotations": {"folder": "Kafka"}},
    "keda": {"enabled": True, "topics": ["orders", "customers"], "authenticationRef": {"name": "kafka"}},
    "apiKey": {"value": "key"},
    "image": {"digest": f"sha256:{'a' * 64}", "pullSecrets": [{"name": "registry"}]},
    "existingConfigMaps": {"tables": "worker-tables"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "high",
    "podAnnotations": {"team": "growth"},
    "podLabels": {"team": "growth"},
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
}
"""Values that switch on everything that can be."""


@dataclass(frozen=True)
class Rendered:
    """What the chart makes of some values."""

    documents: list[dict[str, Any]]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind."""
        return [each for each in self.documents if each["kind"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        """The only object of a kind; of config maps and services the first."""
        return self.all(kind)[0]

    @property
    def workload(self) -> dict[str, Any]:
        """The Deployment or StatefulSet."""
        [found] = self.all("Deployment") + self.all("StatefulSet")
        return found

    @property
    def pod(self) -> dict[str, Any]:
        """The workload's pod."""
        found: dict[str, Any] = self.workload["spec"]["template"]
        return found

    @property
    def container(self) -> dict[str, Any]:
        """The worker's container."""
        [found] = self.pod["spec"]["containers"]
        assert isinstance(found, dict)
        return found

    @property
    def config_maps(self) -> dict[str, dict[str, str]]:
        """The files in each config map."""
        return {each["metadata"]["name"]: each["data"] for each in self.all("ConfigMap")}

    @property
    def settings(self) -> dict[str, Any]:
        """worker.yaml."""
        text = next(data["worker.yaml"] for data in self.config_maps.values() if "worker.yaml" in data)
        found: dict[str, Any] = json.loads(text)
        return found

    def write_files(self, root: Path) -> None:
        """Write below `root` what the pod's container finds in the mounted config maps."""
        volumes = {each["name"]: each["configMap"]["name"] for each in self._mounted()}
        for mount in self.container["volumeMounts"]:
            target = root / mount["mountPath"].lstrip("/")
            data = self.config_maps.get(volumes.get(mount["name"], ""), {})
            names = [mount["subPath"]] if "subPath" in mount else list(data)
            for name in names:
                path = target if "subPath" in mount else target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(data[name], encoding="utf-8")

    def _mounted(self) -> list[dict[str, Any]]:
        return [each for each in self.pod["spec"]["volumes"] if "configMap" in each]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm, without a cluster."""
    return subprocess.run([tool("helm"), *arguments], capture_output=True, text=True, check=False)


def template(
    folder: Path, *files: Path, values: dict[str, Any] | None = None, chart: Path = CHART
) -> subprocess.CompletedProcess[str]:
    """`helm template` with values files, and values over them; `folder` takes these."""
    given = [*files]
    if values:
        given.append(folder / "values.json")
        given[-1].write_text(json.dumps(values), encoding="utf-8")
    options = [option for path in given for option in ("--values", str(path))]
    return helm("template", "worker", str(chart), "--namespace", "events", *options)


def render(folder: Path, *files: Path, values: dict[str, Any] | None = None, chart: Path = CHART) -> Rendered:
    """The objects that the chart makes."""
    done = template(folder, *files, values=values, chart=chart)
    assert done.returncode == 0, done.stderr
    documents = YAML(typ="safe").load_all(done.stdout)
    return Rendered([each for each in documents if each])


def chart_with_config(folder: Path) -> Path:
    """A copy of the chart with the worked example in it, as docs/deploying.md says: cp -R config deploy/helm/."""
    chart = folder / "chart"
    shutil.copytree(CHART, chart)
    shutil.copytree(ROOT / "config", chart / "config")
    (chart / "config/mappers/__pycache__").mkdir(exist_ok=True)
    (chart / "config/mappers/__pycache__/devices.cpython-311.pyc").write_bytes(b"\xa7\r\r\n")
    return chart
