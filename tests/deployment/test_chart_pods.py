"""What the pods of the chart have and do: their files, their share of the rate limit, how they stop and scale."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.chart import CHART, EVERYTHING, EXAMPLES, ROOT, chart_with_config, render
from tests.support.tools import tool
from worker.cli.main import run
from worker.settings import Settings, load_settings

pytestmark = [pytest.mark.checkout, pytest.mark.slow]

SERVERS = {"kafka": {"bootstrap_servers": "kafka:9092"}}
KEDA = {"keda": {"enabled": True, "topics": ["orders", "customers"], "maxReplicas": 5}, "config": SERVERS}


@pytest.fixture
def run_worker(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command as the container does, in / with the mounted files and their secrets; returns what it prints."""

    def run_in(root: Path, command: str) -> str:
        monkeypatch.chdir(root)
        monkeypatch.setenv("WORKER_CONFIG", str(root / "config/worker.yaml"))
        monkeypatch.setenv("POD_NAME", "worker-0")
        monkeypatch.setenv("SCHEMA_REGISTRY_KEY", "key")
        code = run([command])
        printed = "".join(capfd.readouterr())
        assert code == 0, printed
        return printed

    return run_in


def test_the_worker_accepts_its_files_and_the_fixtures_hold(
    run_worker: Callable[..., str], tmp_path: Path
) -> None:
    rendered = render(tmp_path, values={"workload": "StatefulSet"}, chart=chart_with_config(tmp_path))
    rendered.write_files(tmp_path / "pod")
    for name in ("mappings", "mappers", "tests"):
        files = {path.name for path in (ROOT / "config" / name).iterdir() if path.is_file()}
        assert {path.name for path in (tmp_path / "pod/config" / name).iterdir()} == files
    run_worker(tmp_path / "pod", "check")
    run_worker(tmp_path / "pod", "test")


def test_the_defaults_with_one_mapping_from_values_are_accepted(
    run_worker: Callable[..., str], tmp_path: Path
) -> None:
    """`files` instead of a folder; the settings' default paths lead to what is mounted."""
    mapping = (ROOT / "config/mappings/orders.yaml").read_text("utf-8")
    rendered = render(tmp_path, values={"files": {"mappings": {"orders.yaml": mapping}}})
    rendered.write_files(tmp_path / "pod")
    run_worker(tmp_path / "pod", "check")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    found = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=kafka -out {found[0]} -keyout {found[1]}".split(),
        capture_output=True,
        check=True,
    )
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_worker_accepts_the_settings_for_each_kind_of_kafka(
    example: Path, certificate: tuple[Path, Path], run_worker: Callable[..., str], tmp_path: Path
) -> None:
    """With the secrets that the example says, mounted where its settings look for them."""
    rendered = render(tmp_path, example, chart=chart_with_config(tmp_path))
    mounts = {each["mountPath"] for each in rendered.container["volumeMounts"]}
    root = tmp_path / "pod"
    rendered.write_files(root)
    for path in [Path(text) for text in texts(rendered.settings) if text.startswith("/secrets/")]:
        assert str(path.parent) in mounts
        here = root / path.relative_to("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        pem = {".key": 1, ".crt": 0, ".pem": 0, ".cert": 0}.get(path.suffix)
        here.write_text("secret" if pem is None else certificate[pem].read_text())
    settings = root / "config/worker.yaml"
    settings.write_text(settings.read_text().replace("/secrets/", f"{root}/secrets/"))
    assert "no problems" in run_worker(root, "check")


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_a_new_file_or_a_changed_setting_restarts_the_pods(tmp_path: Path) -> None:
    chart = chart_with_config(tmp_path)

    def checksum(values: dict[str, Any] | None = None) -> str:
        found: str = render(tmp_path, values=values, chart=chart).pod["metadata"]["annotations"][
            "checksum/config"
        ]
        return found

    before = checksum()
    assert checksum() == before
    assert checksum({"config": {"batch": {"linger": "1s"}}}) != before
    assert checksum({"podMonitor": {"enabled": True}}) == before
    (chart / "config/mappings/new.yaml").write_text("topics: [new]\nrules: [{ignore: true}]\n")
    assert checksum() != before
    data = render(tmp_path, chart=chart).config_maps["worker-pipelines-worker-mappings"]
    assert "new.yaml" in data


def test_a_config_map_that_exists_is_mounted_whole(tmp_path: Path) -> None:
    rendered = render(tmp_path, values={"existingConfigMaps": {"tables": "worker-tables"}})
    [volume] = [each for each in rendered.pod["spec"]["volumes"] if each["name"] == "folder-tables"]
    assert volume["configMap"] == {"name": "worker-tables"}
    assert {"name": "folder-tables", "mountPath": "/config/tables", "readOnly": True} in rendered.container[
        "volumeMounts"
    ]


@pytest.mark.parametrize(
    ("values", "pods"),
    [
        ({}, 3),  # two, and one that drains while its successor starts
        ({"replicas": 9}, 10),
        ({"workload": "StatefulSet"}, 2),
        ({"workload": "StatefulSet", **KEDA}, 5),
        (KEDA, 6),
    ],
    ids=str,
)
def test_all_pods_together_keep_within_the_rate_limit(
    values: dict[str, Any], pods: int, tmp_path: Path
) -> None:
    rendered = render(tmp_path, values={"rateLimit": {"requests": 2999}, **values})
    assert rendered.settings["rate_limit"]["requests"] == 2999 // pods


def test_a_limit_of_the_group_is_not_divided(tmp_path: Path) -> None:
    chart = chart_with_config(tmp_path)
    (chart / "config/worker.yaml").write_text("rate_limit: {scope: group}\n")
    assert render(tmp_path, chart=chart).settings["rate_limit"] == {"scope": "group", "requests": 3000}


@pytest.mark.parametrize("workload", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({}, []),
        ({"processes": 3}, ["--processes", "3"]),
        ({"processes": "auto", "resources": {"limits": {"cpu": 4}}}, ["--processes", "auto"]),
    ],
    ids=["one", "three", "auto"],
)
def test_a_pod_runs_as_many_processes_as_the_values_say(
    values: dict[str, Any], options: list[str], workload: str, tmp_path: Path
) -> None:
    rendered = render(tmp_path, values={**values, "workload": workload})
    assert rendered.container["args"] == ["run", *options]


def test_a_roll_out_adds_no_pod_and_waits_for_the_one_that_drains(tmp_path: Path) -> None:
    deployment = render(tmp_path).workload["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert deployment["minReadySeconds"] >= deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert deployment["progressDeadlineSeconds"] > deployment["minReadySeconds"]
    stateful = render(tmp_path, values={"workload": "StatefulSet"}).workload["spec"]
    assert stateful["updateStrategy"] == {"type": "RollingUpdate"}
    assert stateful["podManagementPolicy"] == "Parallel"


@pytest.mark.parametrize(
    ("written", "grace"), [(None, 45), ("90s", 105), ("2.5m", 165), ("500ms", 16), ("1h", 3615)]
)
def test_a_pod_is_not_killed_while_it_may_drain(written: str | None, grace: int, tmp_path: Path) -> None:
    values = {"config": {"delivery": {"shutdown_timeout": written}}} if written else {}
    assert render(tmp_path, values=values).pod["spec"]["terminationGracePeriodSeconds"] == grace
    assert grace > Settings().delivery.shutdown_timeout or written


def test_the_folder_s_shutdown_timeout_counts_too(tmp_path: Path) -> None:
    chart = chart_with_config(tmp_path)
    path = chart / "config/worker.yaml"
    path.write_text(path.read_text().replace("shutdown_timeout: 30s", "shutdown_timeout: 60s"))
    assert render(tmp_path, chart=chart).pod["spec"]["terminationGracePeriodSeconds"] == 75


def test_the_folder_s_settings_hold_unless_the_values_say_otherwise(tmp_path: Path) -> None:
    chart = chart_with_config(tmp_path)
    path = chart / "config/worker.yaml"
    path.write_text(path.read_text().replace("group_id: customerio-pipelines", "group_id: ours"))
    kafka = render(tmp_path, chart=chart).settings["kafka"]
    assert (kafka["group_id"], kafka["bootstrap_servers"]) == (
        "ours",
        "${KAFKA_BOOTSTRAP_SERVERS:-localhost:9092}",
    )
    kafka = render(tmp_path, values={"config": SERVERS}, chart=chart).settings["kafka"]
    assert (kafka["group_id"], kafka["bootstrap_servers"]) == ("ours", "kafka:9092")


def test_a_stateful_set_has_static_members(tmp_path: Path) -> None:
    rendered = render(tmp_path, values={"workload": "StatefulSet"})
    assert rendered.settings["kafka"]["properties"] == {"group.instance.id": "${POD_NAME}"}
    [name] = [each for each in rendered.container["env"] if each["name"] == "POD_NAME"]
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    headless = rendered.all("Service")[1]
    assert headless["spec"]["clusterIP"] == "None"
    assert rendered.workload["spec"]["serviceName"] == headless["metadata"]["name"]
    assert "kafka" not in render(tmp_path).settings


def test_the_worker_reads_its_name_and_key(tmp_path: Path) -> None:
    rendered = render(tmp_path, values={"workload": "StatefulSet"}, chart=chart_with_config(tmp_path))
    rendered.write_files(tmp_path / "pod")
    path = tmp_path / "pod/config/worker.yaml"
    key = tmp_path / "key"
    key.write_text("right\n")
    path.write_text(path.read_text().replace("/secrets/api-key/api-key", str(key)))
    settings = load_settings(path, {"POD_NAME": "worker-7"}, needs_key=True)
    assert settings.kafka.properties["group.instance.id"] == "worker-7"
    assert settings.pipelines.api_key.get_secret_value() == "right"
    assert settings.http.address == ("0.0.0.0", 8080)


def test_a_pod_has_no_rights_that_it_does_not_need(tmp_path: Path) -> None:
    for values in ({}, EVERYTHING):
        rendered = render(tmp_path, values=values)
        pods = [rendered.pod["spec"], rendered.one("Pod")["spec"]]
        for pod in pods:
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["automountServiceAccountToken"] is False
            [container] = pod["containers"]
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
        assert rendered.container["resources"]["limits"]["memory"]


def test_held_pods_do_not_block_the_drain_of_a_node(tmp_path: Path) -> None:
    rendered = render(tmp_path)
    budget = rendered.one("PodDisruptionBudget")["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["selector"] == rendered.workload["spec"]["selector"]
    keys = [each["topologyKey"] for each in rendered.pod["spec"]["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


def test_probes_ask_pages_that_exist(tmp_path: Path) -> None:
    container = render(tmp_path).container
    paths = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
    assert paths == {"livenessProbe": "/livez", "readinessProbe": "/readyz", "startupProbe": "/livez"}


def test_only_workers_are_selected(tmp_path: Path) -> None:
    """Not the pod of `helm test`."""
    rendered = render(tmp_path, values=EVERYTHING)
    wanted = rendered.workload["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= rendered.pod["metadata"]["labels"].items()
    assert not wanted.items() <= rendered.one("Pod")["metadata"]["labels"].items()
    for service in rendered.all("Service"):
        assert service["spec"]["selector"] == wanted
    assert rendered.one("PodMonitor")["spec"]["selector"]["matchLabels"] == wanted


def test_keda_scales_by_the_lag_of_each_topic_but_not_of_stuck_partitions(tmp_path: Path) -> None:
    values = {**KEDA, "config": {"kafka": {**SERVERS["kafka"], "group_id": "g", "start_from": "latest"}}}
    rendered = render(tmp_path, values=values)
    scaled = rendered.one("ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] == rendered.workload["metadata"]["name"]
    assert "replicas" not in rendered.workload["spec"]
    triggers = [trigger["metadata"] for trigger in scaled["triggers"]]
    assert [trigger["topic"] for trigger in triggers] == ["orders", "customers"]
    for trigger in triggers:
        assert trigger["limitToPartitionsWithLag"] == trigger["excludePersistentLag"] == "true"
        assert (trigger["consumerGroup"], trigger["offsetResetPolicy"]) == ("g", "latest")


def test_outgoing_connections_are_limited_to_the_ports_that_are_used(tmp_path: Path) -> None:
    values = {"networkPolicy": {"restrictEgress": True, "ports": [8081]}}
    [rule] = render(tmp_path, CHART / "examples/msk-iam.yaml", values=values).one("NetworkPolicy")["spec"][
        "egress"
    ]
    assert {each["port"] for each in rule["ports"]} == {53, 443, 9098, 8081}


def test_prometheus_reads_the_rendered_alerts(tmp_path: Path) -> None:
    spec = render(tmp_path, values=EVERYTHING).one("PrometheusRule")["spec"]
    (tmp_path / "rules.yml").write_text(json.dumps(spec))
    command = [tool("promtool"), "check", "rules", str(tmp_path / "rules.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_chart_s_alerts_and_dashboard_are_the_repository_s(tmp_path: Path) -> None:
    rendered = render(tmp_path, values=EVERYTHING)
    groups = YAML(typ="safe").load(ROOT / "deploy/prometheus/alerts.yml")["groups"]
    rules = rendered.one("PrometheusRule")["spec"]["groups"][0]["rules"]
    for ours, theirs in zip(groups[0]["rules"], rules, strict=True):
        anchor = ours["annotations"].pop("runbook_url").partition("#")[2]
        assert theirs["annotations"].pop("runbook_url") == f"https://wiki.example/worker#{anchor}"
        if ours["alert"] == "WorkerIsGone":
            ours["expr"] = 'absent({__name__=~"pipelines_worker_.+", namespace="events"})'
        assert ours == theirs
    [board] = [data for name, data in rendered.config_maps.items() if name.endswith("-dashboard")]
    assert board["pipelines-worker.json"] == (ROOT / "deploy/grafana/worker.json").read_text("utf-8")
