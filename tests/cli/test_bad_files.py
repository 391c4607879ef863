"""Files beside the configuration that would stop the program or make it wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import Cli

Write = Callable[[str, str], Path]

MAPPING = "topics: [orders]\nrules:\n  - {mapper: '%s'}\n"


@pytest.mark.parametrize(
    ("name", "command", "code"),
    [
        ("worker.yaml", "check", 1),
        ("worker.yaml", "map", 2),
        ("mappings/orders.yaml", "check", 1),
        ("mappings/orders.yaml", "map", 2),
        ("tests/orders.yaml", "check", 1),
        ("tests/orders.yaml", "test", 2),
    ],
)
def test_a_fifo_as_a_configuration_file_is_an_error_and_not_a_wait(
    program: Cli, starter: Path, name: str, command: str, code: int
) -> None:
    file = starter / "config" / name
    file.unlink()
    os.mkfifo(file)

    done = program(command)

    assert done.code == code
    assert f"config/{name}: cannot be read: is not a regular file" in done.out + done.err


def test_a_device_as_the_configuration_is_an_error_and_not_a_wait(program: Cli) -> None:
    done = program("check", "--config", "/dev/zero")
    assert (done.code, done.out[:54]) == (1, "/dev/zero: cannot be read: is not a regular file (FIFO")


def test_a_folder_named_like_a_fixture_file_is_a_folder(program: Cli, starter: Path) -> None:
    (starter / "config/tests/more.yaml").mkdir()
    assert program("test").code == 0


def test_a_module_beside_the_configuration_never_replaces_an_installed_one(
    program: Cli, starter: Path
) -> None:
    """Both modules would be imported by the program itself, were they found first."""
    folder = starter / "config/mappers"
    for name in ("logging", "orjson"):
        (folder / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")

    checked, mapped = program("check"), program("map")

    assert (checked.code, mapped.code) == (1, 2)
    for told in (checked.out, mapped.err):
        assert (
            "config/mappers/logging.py:1: 'logging' is also the name of a module of the standard library"
            in told
        )
        assert "config/mappers/orjson.py:1: 'orjson' is also the name of an installed package" in told
        assert "the wrong module" not in told


def test_a_module_with_a_taken_name_is_one_problem_also_where_a_rule_names_it(
    program: Cli, write: Write
) -> None:
    write("config/worker.yaml", "")
    write("config/json/__init__.py", "def orders(event):\n    return None\n")
    write("config/mappings/orders.yaml", MAPPING % "json:orders")

    done = program("check")

    assert done.code == 1
    assert [line.partition(": ")[0] for line in done.out.splitlines()] == ["config/json/__init__.py:1"]


@pytest.mark.parametrize("mapper", ["os:getcwd", "json.decoder:scanstring", "mine:deepcopy"])
def test_a_mapper_out_of_the_standard_library_is_refused_at_its_place(
    program: Cli, write: Write, mapper: str
) -> None:
    write("config/worker.yaml", "")
    write("config/mine.py", "from copy import deepcopy\n")
    write("config/mappings/orders.yaml", MAPPING % mapper)

    done = program("check")

    assert done.code == 1
    assert done.out.startswith("config/mappings/orders.yaml:3:14: ")
    assert "is part of Python's standard library" in done.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("key_format: xml", "5:13: `key_format` is json or avro or protobuf or text, not 'xml'"),
        ("key_format: [json]", "5:13: `key_format` is json or avro or protobuf or text, not a list"),
        ("envelope: {a: b}", "5:11: `envelope` is none or debezium or cloudevents or connect, not an object"),
        ("nulls: null", "5:8: `nulls` is omit or send, not null"),
        ("defaults: [1, id]", "5:11: `defaults` must be fields of calls ({userId: customer.id})"),
    ],
)
def test_a_wrong_word_is_an_error_for_every_check_of_the_file(
    cli: Cli, write: Write, line: str, said: str
) -> None:
    rules = "topics: [orders]\nrules:\n  - {when: id, call: track, event: Seen, userId: id}\n\n"
    write("config/worker.yaml", "mappings: [config/m.yaml]\n")
    write("config/m.yaml", f"{rules}{line}\n")
    write("config/tests/m.yaml", "- {name: an event, topic: orders, event: {id: u}, ignored: true}\n")
    done = cli("check")
    assert (done.code, done.out) == (1, f"config/m.yaml:{said}\n")
