"""What surrounds the code: package metadata, workflows, continuous integration."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from worker.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")
}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{name}: {job}", content)
        for name, text in WORKFLOWS.items()
        for job, content in YAML(typ="safe", pure=True).load(text)["jobs"].items()
    ]


def test_the_project_s_addresses_are_all_placeholders_or_none_is() -> None:
    """`.example` is reserved for documentation (RFC 2606): publishing the package means to set all addresses."""
    hosts = {re.fullmatch(r"https://([^/]+)/.*", address)[1] for address in PROJECT["urls"].values()}  # type: ignore[index]
    assert hosts == {"git.example"} or not any(host.endswith(".example") for host in hosts)


def test_the_wheels_are_tested_on_every_python_that_the_package_names() -> None:
    named = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)}
    tested = dict(jobs())["checks.yml: wheel"]["strategy"]["matrix"]["python"]
    assert set(tested) == named


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(name: str) -> None:
    used = re.findall(r"uses: (?!\./)(.+)", WORKFLOWS[name])
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


def test_an_action_has_the_same_commit_wherever_it_is_used() -> None:
    pins = re.findall(r"uses: (\S+)@(\S+)", "\n".join(WORKFLOWS.values()))
    assert len(set(pins)) == len({action for action, _ in pins})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_permissions_of_its_own_and_each_job_says_its_own(name: str) -> None:
    workflow = YAML(typ="safe", pure=True).load(WORKFLOWS[name])
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize(("name", "job"), [pytest.param(*each, id=each[0]) for each in jobs()])
def test_every_step_that_runs_something_runs_a_make_target(name: str, job: dict[str, Any]) -> None:
    commands = [step["run"] for step in job.get("steps", ()) if "run" in step]
    for command in commands:
        words = command.split()
        assert words[0] == "make", command
        assert words[1] in TARGETS, command


def test_ci_runs_everything() -> None:
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    run = next(line for line in lines if line.startswith("make "))
    assert {"check", "check-workflows", "test", "test-all"} <= set(run.split())


@pytest.mark.parametrize(("tag", "code"), [(f"v{__version__}", 0), ("v0.0.0", 2), ("v", 2)])
def test_only_the_version_is_the_tag_of_a_release(tag: str, code: int) -> None:
    done = subprocess.run(
        ["make", "--silent", "check-tag", f"TAG={tag}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert ("is not the version" in done.stderr) == bool(code)


def test_no_package_registry_is_named() -> None:
    """The installing user's pip, Maven and Docker decide where packages come from."""
    names = "pypi.org|pythonhosted.org|repo1?.maven|maven.org|registry.npmjs|crates.io|proxy.golang|ghcr.io|docker.io"
    files = [
        ROOT / name
        for name in subprocess.run(
            ["find", ".", "-type", "f", "-not", "-path", "./.*/*", "-not", "-path", "./build/*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    ]
    files += [path for folder in (".github", ".ci") for path in (ROOT / folder).rglob("*") if path.is_file()]
    named = [
        path
        for path in files
        if path.suffix in {".md", ".yml", ".yaml", ".toml", ".py", ".xml", ".lock", ""}
        and path != Path(__file__)
        and re.search(names.replace(".", r"\."), path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert named == []
