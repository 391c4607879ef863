"""Every name in the files for containers and clusters is one that exists: they run where no test does."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from worker.adapters.http.manual import PAGES
from worker.demo.events import TOPICS
from worker.mapping.mappings import Mappings
from worker.programs.starter import starter_folder
from worker.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml(COMPOSE)["services"]
    return found


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text("utf-8")


def without_defaults(text: str) -> str:
    """What compose makes of `${NAME:-default}` where NAME is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def container_environment(service: dict[str, Any]) -> dict[str, str]:
    """The image's own variables, and over them the service's."""
    image = dict(re.findall(r"(WORKER__\w+)=(\S+)", dockerfile()))
    return image | {name: without_defaults(value) for name, value in service.get("environment", {}).items()}


def commands() -> set[str]:
    said = subprocess.run(
        [sys.executable, "-m", "worker", "--help"], capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^\W*([a-z]+)\s", said.stdout, re.MULTILINE))


@pytest.mark.checkout
def test_a_wheel_holds_the_worked_example_as_its_starter_configuration(tmp_path: Path) -> None:
    """Built from a copy, as from a source distribution: without what lies about in a work tree."""
    source = tmp_path / "source"
    for name in ("worker", "config", "docs"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=source,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "installed", "zip")

    assert files_below(tmp_path / "installed/worker/starter") == files_below(ROOT / "config")
    manual = {name: (ROOT / "docs" / name).read_bytes() for name in PAGES}
    assert files_below(tmp_path / "installed/worker/manual") == manual
    found = subprocess.run(
        [sys.executable, "-c", "from worker.programs.starter import starter_folder; print(starter_folder())"],
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(tmp_path / "installed/worker/starter")


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.checkout
def test_an_editable_install_takes_the_repository_s_own() -> None:
    assert starter_folder() == ROOT / "config"


def test_the_worked_example_writes_down_the_defaults() -> None:
    written = load_settings(ROOT / "config/worker.yaml", {"PIPELINES_API_KEY": "key"}, needs_key=True)
    for section in set(Settings.model_fields) - {"pipelines", "mappings", "mapper_path"}:
        assert getattr(written, section) == getattr(Settings(), section)
    assert written.pipelines.url is None


def test_the_worked_example_says_every_setting() -> None:
    said = yaml(ROOT / "config/worker.yaml")
    assert said.keys() == Settings.model_fields.keys()
    for section, values in said.items():
        model = Settings.model_fields[section].annotation
        if isinstance(values, dict) and section != "secrets":  # which has no keys of its own
            assert values.keys() == model.model_fields.keys()  # type: ignore[union-attr] # a section is a model


def test_the_worked_example_loads_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(ROOT / "config/worker.yaml", {}, needs_key=False)
    mappings = Mappings.load(
        settings.mappings,
        mapper_path=settings.mapper_path,
        base=settings.base,
        dead_letter_topic=settings.kafka.dead_letter_topic,
    )
    assert sorted(mappings.subscriptions) == sorted(TOPICS)
    assert mappings.warnings == []


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.name)
def test_editors_find_the_schema_that_a_file_names(path: Path) -> None:
    named = re.match(r"# yaml-language-server: \$schema=(\S+)", path.read_text("utf-8"))
    assert named or path.parent.name == "tests"
    assert named is None or (path.parent / named[1]).is_file()


@pytest.mark.parametrize("kind", ["worker", "mapping"])
def test_the_schemas_beside_the_example_are_what_the_command_prints(kind: str) -> None:
    """`pipelines-worker schema KIND > config/schemas/KIND.json`."""
    printed = subprocess.run(
        [sys.executable, "-m", "worker", "schema", kind], capture_output=True, text=True, check=True
    )
    assert (ROOT / f"config/schemas/{kind}.json").read_text("utf-8") == printed.stdout


def test_a_compose_worker_has_settings_that_load_and_an_emulator_to_talk_to() -> None:
    service = services()["worker"]
    settings = load_settings(ROOT / "config/worker.yaml", container_environment(service), needs_key=True)
    assert settings.http.address == ("0.0.0.0", 8080)
    assert settings.pipelines.base_url == "http://emulator:8090"
    assert settings.kafka.bootstrap_servers == "kafka:29092"


def test_every_variable_of_the_worker_is_read() -> None:
    read = set(re.findall(r"\$\{(\w+)", (ROOT / "config/worker.yaml").read_text("utf-8")))
    assert {name for name in services()["worker"]["environment"] if not name.startswith("WORKER__")} <= read


def test_every_host_in_compose_is_a_service_and_listens_on_that_port() -> None:
    text = re.sub(r"^\s*#.*$", "", COMPOSE.read_text("utf-8"), flags=re.MULTILINE)
    others = [ROOT / "deploy/prometheus/prometheus.yml", ROOT / "deploy/grafana/datasource.yml"]
    text += "".join(path.read_text("utf-8") for path in others)
    hosts = set(re.findall(r"(?:://|[\s\"@])([a-z]+):(\d{4,5})\b", text)) - {
        ("localhost", "29092"),
        ("localhost", "9092"),
    }
    ports = {
        "kafka": {"29092", "9093"},
        "emulator": {"8090"},
        "worker": {"8080"},
        "prometheus": {"9090"},
        "registry": {"8080"},
    }
    assert hosts
    for host, port in hosts:
        assert host in services()
        assert port in ports[host]


def test_every_service_that_is_waited_for_exists_and_can_be_waited_for() -> None:
    for service in services().values():
        awaited = service.get("depends_on", {})
        for name, how in awaited.items() if isinstance(awaited, dict) else ():
            assert name in services()
            if how["condition"] == "service_healthy":
                assert "test" in services()[name]["healthcheck"]
        for volume in service.get("volumes", []):
            assert (ROOT / volume.split(":")[0]).exists()


def test_every_command_in_a_container_exists() -> None:
    named = {services()["worker"]["command"][0], services()["emulator"]["command"][0]}
    named |= set(json.loads(re.search(r"^CMD (\[.*\])$", dockerfile(), re.MULTILINE)[1]))  # type: ignore[index] # it is there
    assert named <= commands()
    producer = services()["producer"]
    [_, _, module] = producer["entrypoint"]
    said = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
    )
    assert all(word in said.stdout for word in producer["command"] if word.startswith("--"))


def test_the_image_is_what_it_should_be() -> None:
    lines = dockerfile()
    assert 'ENTRYPOINT ["pipelines-worker"]' in lines  # the exec form: SIGTERM reaches the worker
    assert re.search(r"^USER \d+:\d+$", lines, re.MULTILINE)
    assert "--require-hashes" in lines
    assert "/livez" in lines
    for copied in re.findall(r"^COPY (?!--)(.+) \S+$", lines, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())
        assert all(
            f"!{name}" in (ROOT / ".dockerignore").read_text("utf-8").split() for name in copied.split()
        )


def test_the_image_says_what_it_is() -> None:
    """The names of the OCI image specification; the addresses are the project's."""
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', dockerfile()))
    assert labels.keys() >= {"title", "description", "licenses", "source", "version", "revision"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert labels["title"] == project["name"]
    assert labels["licenses"] == project["license"]
    assert labels["source"] == project["urls"]["Source"]
    for argument in ("VERSION", "REVISION"):
        assert f"ARG {argument}=" in dockerfile()
        assert f"{argument}=${{{{ github." in (ROOT / ".github/workflows/release.yml").read_text("utf-8")


def test_what_is_watched_with_the_profile_observe_is_the_repository_s() -> None:
    prometheus, grafana = services()["prometheus"], services()["grafana"]
    assert prometheus["profiles"] == grafana["profiles"] == ["observe"]
    assert services()["registry"]["profiles"] == ["registry"]
    mounted = {
        volume.split(":")[0].removeprefix("./"): volume.split(":")[1]
        for volume in [*prometheus["volumes"], *grafana["volumes"]]
    }
    configuration = yaml(ROOT / "deploy/prometheus/prometheus.yml")
    assert configuration["rule_files"] == [mounted["deploy/prometheus/alerts.yml"]]
    [provider] = yaml(ROOT / "deploy/grafana/provider.yml")["providers"]
    assert mounted["deploy/grafana/worker.json"].startswith(provider["options"]["path"])


def test_health_checks_are_programs_that_compile() -> None:
    checks = re.findall(r'\["python", "-c", "(.+?)"\]', dockerfile())
    checks += [
        one["healthcheck"]["test"][3]
        for one in services().values()
        if one.get("healthcheck", {}).get("test", [""])[1:2] == ["python"]
    ]
    assert len(checks) == 2
    for check in checks:
        ast.parse(check)


def test_nobody_kills_a_worker_that_still_drains() -> None:
    grace = int(services()["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings().delivery.shutdown_timeout


def test_the_topics_that_are_made_are_those_of_the_mappings() -> None:
    script = (ROOT / "deploy/create-topics.sh").read_text("utf-8")
    [made] = re.findall(r"^for topic in (.+); do$", script, re.MULTILINE)
    claimed = [topic for path in (ROOT / "config/mappings").glob("*.yaml") for topic in yaml(path)["topics"]]
    assert sorted(made.split()) == sorted(claimed) == sorted(TOPICS)
    assert f"create {Settings().kafka.dead_letter_topic} " in script
    assert subprocess.run(["sh", "-n", ROOT / "deploy/create-topics.sh"], check=False).returncode == 0


def test_no_file_names_a_registrys_host() -> None:
    """Images are named without one, so that a mirror can stand in."""
    for path in (ROOT / "Dockerfile", COMPOSE, ROOT / "deploy/helm/values.yaml"):
        assert not re.search(r"docker\.io|ghcr\.io|quay\.io|gcr\.io|pypi\.org", path.read_text("utf-8"))
