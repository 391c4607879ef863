"""`secrets`: `hmac_sha256` needs their values only where something is sent or shown, and nothing prints them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import Cli
from worker.settings import load_settings

Write = Callable[[str, str], Path]

PEPPER = "red-hot-chili-value"
SETTINGS = """\
pipelines: {api_key: k}
secrets:
  pepper: ${PEPPER}
  salt: {file: salt.txt}
mappings: [m.yaml]
"""
MAPPING = """\
topics: [people]
rules:
  - call: identify
    userId: hmac_sha256(email, 'pepper')
    traits: {other: "hmac_sha256(email, 'salt')"}
"""


def hashed(key: str) -> str:
    return hmac.digest(key.encode(), b"ada@example.com", hashlib.sha256).hex()


FIXTURES = f"""\
- name: hashed with the names
  topic: people
  event: {{email: ada@example.com}}
  calls: [{{type: identify, userId: {hashed("pepper")}, traits: {{other: {hashed("salt")}}}}}]
"""
EVENT = '{"email": "ada@example.com"}'


@pytest.fixture
def project(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("config/worker.yaml", SETTINGS)
    write("config/m.yaml", MAPPING)
    write("config/tests/f.yaml", FIXTURES)
    write("event.json", EVENT)


@pytest.mark.usefixtures("project")
def test_fixtures_and_check_need_no_secret(cli: Cli) -> None:
    assert cli("test").code == 0
    checked = cli("check")
    assert checked.code == 0, checked.out + checked.err
    assert (
        "config/worker.yaml:4:9: warning: secrets.salt: the file config/salt.txt: "
        in checked.out + checked.err
    )
    assert "PEPPER" not in checked.out + checked.err


@pytest.mark.usefixtures("project")
def test_map_uses_the_values_and_fails_without_one(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEPPER", PEPPER)
    missing = cli("map", "event.json", "--topic", "people")
    assert json.loads(missing.out)["rejected"]["reason"] == "EXPRESSION_FAILED"
    assert "hmac_sha256(): the secret has no value" in missing.out

    write("config/salt.txt", "salted\n")
    (call,) = json.loads(cli("map", "event.json", "--topic", "people").out)["calls"]
    assert call["userId"] == hashed(PEPPER)
    assert call["traits"] == {"other": hashed("salted")}


@pytest.mark.usefixtures("project")
def test_no_command_prints_a_secret(cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEPPER", PEPPER)
    write("config/salt.txt", "salted-value")
    for arguments in (
        ["check"],
        ["map", "--source", "--topic", "people"],
        ["map", "--explain", "event.json", "--topic", "people"],
        ["test"],
    ):
        done = cli(*arguments)
        assert done.code == 0, done.out + done.err
        assert PEPPER not in done.out + done.err
        assert "salted-value" not in done.out + done.err
    settings = load_settings("config/worker.yaml", {"PEPPER": PEPPER}, needs_key=True)
    assert settings.secret_values == {"pepper": PEPPER, "salt": "salted-value"}
    assert PEPPER not in repr(settings)
    assert PEPPER not in settings.model_dump_json()


@pytest.mark.usefixtures("project")
def test_commands_that_deliver_need_every_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("run")
    assert done.code == 2
    assert "PEPPER is not set" in done.err
    assert "secrets.salt: the file config/salt.txt: " in done.err
    monkeypatch.setenv("WORKER__SECRETS", '{"pepper": "", "salt": "s"}')
    done = cli("run")
    assert done.code == 2
    assert "WORKER__SECRETS: secrets.pepper: the secret has no value" in done.err


@pytest.mark.usefixtures("project")
def test_secrets_from_the_environment_are_json(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER__SECRETS", json.dumps({"pepper": PEPPER, "salt": "s"}))
    (call,) = json.loads(cli("map", "event.json", "--topic", "people").out)["calls"]
    assert call["userId"] == hashed(PEPPER)
    for wrong, said in {
        '{"pepper": 5}': "secrets.pepper: must be text",
        "x": "must be JSON",
        '["pepper"]': "must be JSON",
    }.items():
        monkeypatch.setenv("WORKER__SECRETS", wrong)
        done = cli("map", "event.json", "--topic", "people")
        assert done.code == 2
        assert said in done.err
    monkeypatch.setenv("WORKER__SECRETS__PEPPER", PEPPER)
    assert "WORKER__SECRETS takes JSON" in cli("check").out


@pytest.mark.usefixtures("project")
def test_a_secret_that_does_not_exist_is_an_error_at_its_place(cli: Cli, write: Write) -> None:
    write("config/m.yaml", MAPPING.replace("'pepper'", "'peper'").replace("'salt'", "name"))
    done = cli("check")
    assert done.code == 1
    printed = done.out + done.err
    assert "config/m.yaml:4:32: " in printed
    assert "there is no secret 'peper' (did you mean 'pepper'?)" in printed
    assert "hmac_sha256() names its secret as literal text" in printed
