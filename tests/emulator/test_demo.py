"""The demo as someone runs it who has just installed the worker."""

from __future__ import annotations

import hmac
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from worker.demo.configuration import write_configuration
from worker.demo.events import ExpectedOutcome, Sample
from worker.demo.next_steps import next_steps
from worker.demo.own_mapping import own_mapping
from worker.demo.summary import Expected, Observed, differences
from worker.mapping.trying.fixtures import read_fixtures, run_fixture
from worker.programs.configuration import load_configuration

DEMO = [sys.executable, "-m", "worker", "demo"]


def answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def until(stream: IO[str], pattern: str) -> str:
    """Read until a line contains the pattern; returns everything up to there."""
    read = ""
    for line in stream:
        read += line
        if re.search(pattern, line):
            return read
    raise AssertionError(f"the demo ended without saying {pattern}: {read}")


def printed_commands(said: str) -> list[str]:
    """The commands to try in another terminal."""
    lines = said[said.index("In another terminal") :].splitlines()
    return [line.strip() for line in lines if "worker" in line and not line.strip().startswith("#")]


def paste(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as from another terminal: in another folder, where nothing is set."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@dataclass
class Demo:
    """A demo that goes on until it is interrupted."""

    said: str
    summary: str = ""
    code: int | None = None


@contextmanager
def running(folder: Path, *options: str, columns: int | None = None) -> Iterator[Demo]:
    """A demo that goes on; interrupted at the end, when its summary and exit code are known."""
    environ = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environ |= {} if columns is None else {"COLUMNS": str(columns)}
    with subprocess.Popen(
        [*DEMO, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environ,
    ) as process:
        assert process.stderr is not None
        demo = Demo("")
        try:
            demo.said = until(process.stderr, "until Ctrl-C")
            yield demo
        finally:
            process.send_signal(signal.SIGINT)
            demo.summary, _ = process.communicate(timeout=60)
            demo.code = process.returncode


def names(commands: list[str]) -> list[str]:
    found = [re.search(r"pipelines-worker (dlq \w+|\w+)", each) for each in commands]
    return [each[1] for each in found if each]


COMMANDS = ["dlq list", "dlq replay", "map", "trace", "init"]


@pytest.mark.slow
def test_the_demo_adds_up_from_anywhere_and_goes_on_until_interrupted(tmp_path: Path) -> None:
    """One run shows all of it: `--exit` does no more than to interrupt itself."""
    with running(tmp_path) as demo:
        emulator, worker = re.findall(r"(http://\S+)", demo.said)[:2]
        commands = printed_commands(demo.said)
        pasted = {command: paste(command, tmp_path) for command in commands}
        goes_on = any(answer(worker + "/status.json")["totals"]["consumed"] > 4_000 for _ in range(10_000))
        totals = answer(worker + "/status.json")["totals"]
        calls = answer(emulator + "/admin/summary")["calls"]
    assert demo.code == 0, demo.summary
    assert "All totals are as expected" in demo.summary
    assert calls["taken"] + calls["duplicates"] >= totals["delivered"]
    assert goes_on
    assert names(commands) == COMMANDS
    for command, done in pasted.items():
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout, command
    assert re.search(r"Kafka: 127\.0\.0\.1:\d+", demo.said)
    [config] = set(re.findall(r"--config (\S+)", demo.said))
    assert not Path(config).exists(), "the demo removes its settings"


@pytest.mark.slow
def test_the_commands_can_be_pasted_from_a_narrow_terminal(tmp_path: Path) -> None:
    config = own_project(tmp_path / "project")
    with running(tmp_path, "--config", str(config), columns=80) as demo:
        commands = printed_commands(demo.said)
        pasted = {command: paste(command, tmp_path) for command in commands}
    assert max(map(len, demo.said.splitlines())) <= 80
    assert names(commands) == COMMANDS
    for command, done in pasted.items():
        # `map` exits with 1 if one of the records that it shows is rejected.
        assert done.returncode == 0 or re.search(r"[1-3] rejected", done.stderr), (command, done.stderr)


MAPPING = """\
topics: [readings]
tables: {places: {a: Attic}}
rules:
  - when: type == 'measured'
    call: track
    event: Measured
    userId: person
    messageId: id
    properties: {place: "lookup('places', place)", signature: "hmac_sha256(person, 'pepper')"}
  - when: type == 'mapped'
    mapper: own:mapped
"""
MAPPER = """\
from worker import track


def mapped(event):
    return track("Mapped", user_id=event.value["person"])
"""
FIXTURES = """\
- topic: readings
  event: {type: measured, person: p-1, place: a, id: m-1}
  calls:
    - type: track
      userId: p-1
      event: Measured
      properties: {place: Attic, signature: SIGNATURE}
- topic: readings
  key: p-1
  timestamp: "2026-01-02T03:04:05Z"
  event: {type: measured, person: p-1, place: b, id: m-1}
  calls: [{type: track, userId: p-1, event: Measured, properties: {signature: SIGNATURE}}]
- topic: readings
  event: {type: mapped, person: p-2}
  calls: [{type: track, userId: p-2, event: Mapped}]
- topic: readings
  event: {type: measured}
  rejected: MISSING_ID
- topic: readings
  event: {type: other}
  ignored: true
""".replace("SIGNATURE", hmac.new(b"pepper", b"p-1", "sha256").hexdigest())
SETTINGS = """\
kafka:
  bootstrap_servers: 192.0.2.1:9092
  group_id: own
  dead_letter_topic: own.dead
  properties: {security.protocol: SASL_SSL, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: p}
schema_registry: {url: "https://registry.invalid"}
pipelines: {region: eu, api_key: the-real-key}
batch: {linger: 50ms}
secrets: {pepper: {file: nowhere}}
telemetry: {otlp_endpoint: "http://192.0.2.1:4318"}
mapper_path: [code]
mappings: [mappings/*.yaml]
"""


def own_project(folder: Path) -> Path:
    """A user's mapping with a table, a mapper and a secret, and settings that lead elsewhere."""
    for name, text in {
        "worker.yaml": SETTINGS,
        "mappings/readings.yaml": MAPPING,
        "code/own.py": MAPPER,
        "tests/readings.yaml": FIXTURES,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "worker.yaml"


def test_the_demo_of_an_own_mapping_runs_the_events_of_its_fixtures(tmp_path: Path) -> None:
    config = own_project(tmp_path / "project")
    done = subprocess.run(
        [*DEMO, "--exit", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "do not pass" not in done.stderr
    assert re.search(r"delivered +3 +as 3 calls", done.stdout)
    assert re.search(r"ignored +1", done.stdout)
    assert re.search(r"dead-lettered +1 +MISSING_ID 1", done.stdout)
    assert re.search(r"calls stored +2", done.stdout), "one event was in two fixtures"
    assert "All totals are as expected" in done.stdout


def test_a_demo_takes_nothing_over_that_leads_to_another_machine(tmp_path: Path) -> None:
    config = own_project(tmp_path / "project")
    shared = {"WORKER__RATE_LIMIT__SCOPE": "group"}
    settings, mappings = load_configuration(config, shared, needs_key=False, secrets_by_name=True)
    fixtures = read_fixtures(FIXTURES, "tests/readings.yaml")
    scenario = own_mapping(settings, mappings, fixtures)
    written = write_configuration(
        tmp_path, scenario, brokers="127.0.0.1:1", emulator="http://127.0.0.1:2", listen="127.0.0.1:3"
    )
    demo, _ = load_configuration(written, {}, needs_key=True)
    assert demo.kafka.bootstrap_servers == "127.0.0.1:1"
    assert demo.kafka.properties.keys() == {"group.protocol"}
    assert (demo.kafka.group_id, demo.kafka.dead_letter_topic) == ("own", "own.dead")
    assert (demo.pipelines.url, demo.schema_registry.url) == ("http://127.0.0.1:2", None)
    assert demo.telemetry.otlp_endpoint is None
    assert demo.batch == settings.batch
    assert (settings.rate_limit.scope, demo.rate_limit.scope) == ("group", "process")
    assert demo.secret_values == {"pepper": "pepper"}
    text = written.read_text()
    for own in ("192.0.2.1", "registry.invalid", "the-real-key", "sasl", "nowhere"):
        assert own not in text


def test_mappings_of_other_formats_are_for_json_in_a_demo(tmp_path: Path) -> None:
    """As fixtures are, whatever the format of real records."""
    config = own_project(tmp_path / "project")
    mapping = tmp_path / "project/mappings/readings.yaml"
    text = mapping.read_text().replace("tables: {places: {a: Attic}}", "tables: {places: places.csv}")
    mapping.write_text(f"format: avro\nschema: registry\nkey_format: avro\n{text}")
    (mapping.parent / "places.csv").write_text("code,name\na,Attic\n")
    settings, mappings = load_configuration(config, {}, needs_key=False, secrets_by_name=True)
    scenario = own_mapping(settings, mappings.taking_json(), read_fixtures(FIXTURES, "f.yaml"))
    written = write_configuration(
        tmp_path, scenario, brokers="127.0.0.1:1", emulator="http://127.0.0.1:2", listen="127.0.0.1:3"
    )
    _, for_json = load_configuration(written, {}, needs_key=True)
    assert [run_fixture(for_json, each).diff for each in read_fixtures(FIXTURES, "f.yaml")] == [""] * 5


def test_a_demo_of_an_own_mapping_needs_fixtures(tmp_path: Path) -> None:
    config = own_project(tmp_path)
    (tmp_path / "tests/readings.yaml").unlink()
    done = subprocess.run(
        [*DEMO, "--config", str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no fixtures in {tmp_path / 'tests'}" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Sample("t", b"k 1", b"{}", 0, calls=1), ["--topic", "t", "--key", "k 1"]),
        (Sample("t", None, b"{}", 0, calls=1), ["t:2:0"]),
        (Sample("t", b"\xff\n", b"{}", 0, calls=1), ["t:2:0"]),
        (Sample("t", b"k", b"{}", 0, calls=1, record_timestamp=1), ["t:2:0"]),
    ],
    ids=["by key", "no key", "a key that cannot be typed", "older than what is searched"],
)
def test_the_command_for_tracing_finds_its_record(given: Sample, words: list[str], tmp_path: Path) -> None:
    steps = next_steps("127.0.0.1:1", tmp_path / "worker.yaml", [given], {"t": "t:2:0"})
    assert ["trace", *words] in [command for _, command in steps.commands]


def sample(outcome: ExpectedOutcome, calls: int, *, repeated: int = 0) -> Sample:
    return Sample("orders", b"k", b"{}", 0, outcome, calls, repeated)


def observed(**changes: int) -> Observed:
    calls = {"taken": 2, "duplicates_different": 0, "dropped": 0, "refused": 0}
    calls |= {name: value for name, value in changes.items() if name in calls}
    totals = {"consumed": 4, "ignored": 1, "dead_letters": {"UNMATCHED": 1}} | {
        name: value for name, value in changes.items() if name == "consumed"
    }
    return Observed(totals, changes.get("dead_letter_records", 1), 1.0, {"calls": calls})


EXPECTED = Expected.of(
    [
        sample(ExpectedOutcome.DELIVERED, 2),
        sample(ExpectedOutcome.DELIVERED, 1, repeated=1),
        sample(ExpectedOutcome.IGNORED, 0),
        sample(ExpectedOutcome.DEAD_LETTERED, 0),
    ]
)


def test_equal_totals_are_no_difference() -> None:
    assert differences(EXPECTED, observed()) == []


@pytest.mark.parametrize(
    "change",
    [{"consumed": 3}, {"dead_letter_records": 0}, {"taken": 1}, {"duplicates_different": 1}, {"refused": 1}],
)
def test_each_witness_can_contradict(change: dict[str, int]) -> None:
    assert len(differences(EXPECTED, observed(**change))) == 1
