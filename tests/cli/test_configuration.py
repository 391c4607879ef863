"""`init`, `check`, `schema`, `events`: configuration that is written and looked at before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.support.program import Cli
from worker.customerio import catalog
from worker.mapping.files.examples import example_rule

Write = Callable[[str, str], Path]

MAPPING = """\
topics: [orders]
rules:
  - call: track
    event: Order Completd
    userId: customer.id
"""


def test_what_init_writes_passes_check(starter: Path, cli: Cli) -> None:
    done = cli("check", "--strict")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("no problems, no warnings; topics: ")


def test_what_init_writes_works_from_another_folder(
    starter: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert cli("check", "--config", starter / "config/worker.yaml").code == 0


def test_init_replaces_nothing_unless_told_to(starter: Path, cli: Cli) -> None:
    (starter / "config/worker.yaml").write_text("mine")
    done = cli("init")
    assert (done.code, done.out) == (2, "")
    assert "config/worker.yaml already exists" in done.err
    assert (starter / "config/worker.yaml").read_text() == "mine"
    assert cli("init", "--force").code == 0
    assert (starter / "config/worker.yaml").read_text() != "mine"


def test_init_writes_into_a_folder_that_is_not_there_yet(cli: Cli, tmp_path: Path) -> None:
    done = cli("init", "new/folder")
    assert done.code == 0
    assert all((tmp_path / line).is_file() for line in done.out.splitlines())


def test_check_needs_no_key_and_reports_settings_and_mappings_together(cli: Cli, write: Write) -> None:
    write("config/worker.yaml", "foo: 1\n")
    write("config/mappings/a.yaml", "topics: [a]\nrules:\n  - call: trak\n")
    write("config/mappings/b.yaml", "topic: [b]\n")
    done = cli("check")
    assert done.code == 1
    assert "config/worker.yaml:1:1: foo: unknown key" in done.out
    assert "config/mappings/a.yaml:3:" in done.out
    assert "config/mappings/b.yaml:1:1" in done.out
    assert "problems, no warnings" in done.err


def test_a_warning_is_a_problem_only_when_strict(cli: Cli, write: Write) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/a.yaml", MAPPING)
    lenient, strict = cli("check"), cli("check", "--strict")
    assert (lenient.code, strict.code) == (0, 1)
    assert "config/mappings/a.yaml:4:12: warning: " in lenient.out
    assert "Order Completed" in lenient.out
    assert "warning" not in strict.out


def test_check_prints_json_for_programs(cli: Cli, write: Write) -> None:
    write("config/worker.yaml", "pipelines: {strict: false}")
    write("config/mappings/a.yaml", MAPPING.replace("Completd", "Completed"))
    (result,) = cli("check", "--json").lines
    assert (result["ok"], result["topics"]) == (True, ["orders"])
    (warning,) = result["problems"]
    assert (warning["file"], warning["line"], warning["column"]) == ("config/worker.yaml", 1, 21)
    assert warning["warning"] is True


def test_a_missing_configuration_says_how_to_get_one(cli: Cli) -> None:
    done = cli("check")
    assert done.code == 1
    assert "`pipelines-worker init` writes one" in done.out


@pytest.mark.parametrize("kind", ["worker", "mapping"])
def test_the_schemas_take_the_starter_configuration(starter: Path, cli: Cli, kind: str) -> None:
    schema = json.loads(cli("schema", kind).out)
    jsonschema.Draft202012Validator.check_schema(schema)
    pattern = "worker.yaml" if kind == "worker" else "mappings/*.yaml"
    for path in (starter / "config").glob(pattern):
        jsonschema.validate(YAML(typ="safe").load(path), schema)


@pytest.mark.parametrize("kind", ["worker", "mapping"])
def test_the_starter_has_the_schemas_that_the_worker_prints(starter: Path, cli: Cli, kind: str) -> None:
    packaged = json.loads((starter / f"config/schemas/{kind}.json").read_text())
    assert packaged == json.loads(cli("schema", kind).out)


def test_the_catalogue_is_listed(cli: Cli) -> None:
    done = cli("events")
    assert done.code == 0
    assert all(f"  {name}\n" in done.out for names in catalog.families().values() for name in names)


def test_an_event_is_explained_with_a_rule_to_paste(cli: Cli) -> None:
    done = cli("events", "order_completed")
    assert done.code == 0
    assert "showing 'Order Completed'" in done.err
    assert "products: array" in done.out
    assert "event: Order Completed" in done.out
    assert cli("events", "Nothing Like It").code == 2


def test_every_rule_that_the_catalogue_shows_is_one(cli: Cli, write: Write) -> None:
    names = [name for names in catalog.families().values() for name in names]
    rules = [example_rule(catalog.event(name) or {}) for name in names]
    write("config/worker.yaml", "")
    write("config/mappings/all.yaml", "topics: [all]\nrules:\n" + "".join(filter(None, rules)))
    done = cli("check", "--strict")
    assert (done.code, done.out) == (0, "")
