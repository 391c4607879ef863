"""The Helm chart makes what Kubernetes takes, and refuses values that would do something else than they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from docs.write_chart import COPIES, with_worker_schema
from tests.support.chart import CHART, EVERYTHING, EXAMPLES, ROOT, chart_with_config, helm, render, template
from tests.support.connecting import examples
from tests.support.custom_resources import CUSTOM_RESOURCES
from worker.settings import Settings
from worker.version import __version__

pytestmark = [pytest.mark.checkout, pytest.mark.slow]

KUBERNETES = ["1.27", "1.33", "1.37"]
"""The oldest that has unhealthyPodEvictionPolicy, one in use, and the newest that has schemas here."""

KINDS_OF_KAFKA = {
    "aiven": "Aiven",
    "confluent-cloud": "Confluent Cloud",
    "event-hubs": "Azure Event Hubs",
    "msk-iam": "Amazon MSK with IAM",
    "msk-scram": "Amazon MSK with SCRAM",
    "redpanda": "Redpanda",
    "strimzi-mtls": "Strimzi with mTLS",
}
"""Each example, and its section in docs/connecting.md."""

VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "everything, as a Deployment": {**EVERYTHING, "workload": "Deployment"},
    "nothing": {
        "service": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
        "topologySpreadConstraints": [],
    },
}


def check(document: dict[str, Any]) -> None:
    """Strictly: a key that Kubernetes does not know is an error."""
    if schema := CUSTOM_RESOURCES.get(document["kind"]):
        jsonschema.Draft202012Validator(schema).validate(document)
        return
    for version in KUBERNETES:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_kubernetes_takes_what_the_chart_makes(values: dict[str, Any], tmp_path: Path) -> None:
    for document in render(tmp_path, values=values).documents:
        check(document)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_kubernetes_takes_what_the_chart_makes_for_each_kind_of_kafka(example: Path, tmp_path: Path) -> None:
    for document in render(tmp_path, example).documents:
        check(document)


def test_there_is_an_example_for_each_kind_of_kafka() -> None:
    assert [path.stem for path in EXAMPLES] == list(KINDS_OF_KAFKA)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_logs_in_as_the_document_says(example: Path) -> None:
    """docs/connecting.md, whose settings are tried on a real Kafka. Redpanda's here has an authority of its own."""
    shown = YAML(typ="safe").load(examples()[KINDS_OF_KAFKA[example.stem]])["kafka"]
    ours = YAML(typ="safe").load(example)["config"]["kafka"]
    assert ours.get("auth") == shown.get("auth")
    properties, others = ours.get("properties", {}), shown.get("properties", {})
    assert properties.keys() - {"ssl.ca.location"} == others.keys() - {"ssl.ca.location"}
    for name, value in others.items():
        if "/run/secrets/" not in str(value):
            assert properties[name] == value


def test_the_check_is_strict(tmp_path: Path) -> None:
    rendered = render(tmp_path, values=EVERYTHING)
    for kind in ("StatefulSet", "PodDisruptionBudget", "ScaledObject", "PodMonitor"):
        wrong = rendered.one(kind)
        wrong["spec"]["unknown"] = True
        with pytest.raises(
            (jsonschema.ValidationError, kubernetes_validate.ValidationError), match="unknown"
        ):
            check(wrong)


def test_everything_that_can_be_switched_on_is_there(tmp_path: Path) -> None:
    kinds = {each["kind"] for each in render(tmp_path, values=EVERYTHING).documents}
    assert kinds >= {
        "StatefulSet",
        "ConfigMap",
        "Secret",
        "Service",
        "ServiceAccount",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PodMonitor",
        "PrometheusRule",
        "ScaledObject",
    }


@pytest.mark.parametrize("values", [None, *EXAMPLES], ids=lambda path: path.stem if path else "defaults")
def test_helm_finds_nothing_wrong(values: Path | None) -> None:
    options = ["--values", str(values)] if values else []
    done = helm("lint", "--strict", str(CHART), *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 2}, "'replica' not allowed"),
        ({"config": {"kafka": {"grup_id": "x"}}}, "'grup_id' not allowed"),
        ({"config": {"batch": {"max_calls": "many"}}}, "/config/batch/max_calls"),
        ({"workload": "DaemonSet"}, "/workload"),
        ({"processes": 0}, "/processes"),
        ({"processes": "all"}, "/processes"),
        ({"processes": "auto"}, "auto needs resources.limits.cpu"),
        ({"processes": 4, "rateLimit": {"requests": 9}}, "4 processes cannot share the 3 requests of a pod"),
        ({"config": {"rate_limit": {"requests": 10}}}, "set rateLimit.requests"),
        ({"config": {"http": {"listen": "0.0.0.0:9"}}}, "config.http.listen: the chart sets it"),
        ({"rateLimit": {"requests": 2}}, "2 requests are not enough for 3 pods"),
        ({"keda": {"enabled": True}}, "keda.topics: name the topics"),
        ({"keda": {"enabled": True, "topics": ["t"], "minReplicas": 9}}, "more than keda.maxReplicas"),
        (
            {
                "keda": {"enabled": True, "topics": ["t"]},
                "config": {"kafka": {"bootstrap_servers": "${SERVERS}"}},
            },
            "KEDA reads no variables",
        ),
        (
            {"existingConfigMaps": {"mappings": "a"}, "files": {"mappings": {"a.yaml": ""}}},
            "the folder mappings has files of the chart already",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_values_that_cannot_be_meant_are_refused(values: dict[str, Any], words: str, tmp_path: Path) -> None:
    done = template(tmp_path, values=values)
    assert done.returncode == 1
    assert words in done.stderr


@pytest.mark.parametrize("name", ["config/mappings/more/deep.yaml", "config/notes.txt"])
def test_a_file_that_could_not_be_mounted_is_refused(name: str, tmp_path: Path) -> None:
    chart = chart_with_config(tmp_path)
    (chart / name).parent.mkdir(exist_ok=True)
    (chart / name).write_text("x")
    done = template(tmp_path, chart=chart)
    assert done.returncode == 1
    assert name in done.stderr


def test_what_the_chart_has_from_elsewhere_is_up_to_date() -> None:
    """`make docs` writes it."""
    schema = (CHART / "values.schema.json").read_text(encoding="utf-8")
    assert with_worker_schema(schema) == schema
    assert json.loads(schema)["properties"]["config"]["properties"].keys() == Settings.model_fields.keys()
    for source, copy in COPIES.items():
        assert (ROOT / source).read_bytes() == (CHART / copy).read_bytes()


def test_the_schema_has_every_default() -> None:
    values = YAML(typ="safe").load(CHART / "values.yaml")
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"].keys() - {"global"} == values.keys()
    for name, value in values.items():
        known = schema["properties"][name].get("properties")
        if isinstance(value, dict) and known and name not in {"config", "resources"}:
            assert value.keys() == known.keys()


def test_the_chart_has_the_version_of_the_worker() -> None:
    assert YAML(typ="safe").load(CHART / "Chart.yaml")["appVersion"] == __version__


NOTES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data:
  notes: {{ tpl (.Files.Get "files/NOTES.txt") . | quote }}
"""
"""What `helm install` prints is rendered only with a cluster: so that a test sees it, it is put into a config map."""


def notes(folder: Path, chart: Path, values: dict[str, Any]) -> str:
    shutil.copy(chart / "templates/NOTES.txt", chart / "files")
    (chart / "templates/notes.yaml").write_text(NOTES)
    return render(folder, values=values, chart=chart).config_maps["notes"]["notes"]


def test_an_installation_says_what_is_missing(tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "bare")
    missing = notes(tmp_path, tmp_path / "bare", {"existingConfigMaps": {"tables": "worker-tables"}})
    assert "THERE ARE NO MAPPINGS" in missing
    assert "NO KAFKA IS NAMED" in missing
    assert "After a change of worker-tables run `helm upgrade` again" in missing
    complete = notes(tmp_path, chart_with_config(tmp_path), {})
    assert "each pod may make 1000 of the 3000 requests" in complete
    assert "NO " not in complete
    assert "helm --namespace events test worker" in complete
