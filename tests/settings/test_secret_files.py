"""Secrets in files: `{file: path}` in place of a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.documents.problems import ConfigError
from worker.settings import Settings, load_settings

SECRET = "sk_very_secret"

TEXT = """\
kafka:
  properties:
    sasl.password: {file: secrets/password}
    ssl.key.pem: {file: secrets/pem}
schema_registry:
  password: {file: secrets/registry}
pipelines:
  api_key: {file: secrets/key}
"""

NAMES = {"password": "pass word\n", "pem": "-----BEGIN\nabc\n-----END\n", "registry": "r\r\n", "key": "k\n"}


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """Secrets as Kubernetes mounts them: links to a folder that is replaced as a whole."""
    (tmp_path / "secrets" / "..data").mkdir(parents=True)
    for name, text in NAMES.items():
        (tmp_path / "secrets" / "..data" / name).write_text(text)
        (tmp_path / "secrets" / name).symlink_to(Path("..data") / name)
    return tmp_path


def load(folder: Path, text: str = TEXT, *, needs_key: bool = True, **environ: str) -> Settings:
    (folder / "worker.yaml").write_text(text)
    return load_settings(folder / "worker.yaml", environ, needs_key=needs_key)


def test_every_secret_can_be_in_a_file(mounted: Path) -> None:
    settings = load(mounted)
    assert settings.kafka.properties == {
        "sasl.password": "pass word",
        "ssl.key.pem": "-----BEGIN\nabc\n-----END",
    }
    assert settings.schema_registry.password is not None
    assert settings.schema_registry.password.get_secret_value() == "r"
    assert settings.pipelines.api_key.get_secret_value() == "k"
    assert settings.warnings == ()
    assert "pass word" not in repr(settings)


def test_a_relative_file_is_looked_for_in_the_current_folder_first(
    mounted: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    (here / "secrets").mkdir()
    (here / "secrets" / "key").write_text("of this folder")
    monkeypatch.chdir(here)
    with pytest.raises(ConfigError, match="is not an API key"):
        load(mounted)
    (here / "secrets" / "key").unlink()
    assert load(mounted).pipelines.api_key.get_secret_value() == "k"


def test_the_files_name_can_come_from_the_environment(mounted: Path) -> None:
    text = "kafka: {properties: {sasl.password: {file: '${SECRETS}/password'}}}"
    secrets = str(mounted / "secrets")
    assert load(mounted, text, needs_key=False, SECRETS=secrets).kafka.properties == {
        "sasl.password": "pass word"
    }
    given = f'{{"sasl.password": {{"file": "{secrets}/password"}}}}'
    settings = load(mounted, "", needs_key=False, WORKER__KAFKA__PROPERTIES=given)
    assert settings.kafka.properties == {"sasl.password": "pass word"}


def test_the_key_is_read_again_when_asked(mounted: Path) -> None:
    pipelines = load(mounted).pipelines
    (mounted / "secrets" / "..data" / "key").write_text("new\n")
    assert pipelines.key_from_file() == "new"
    for text in ("not a key", ""):
        (mounted / "secrets" / "..data" / "key").write_text(text)
        assert pipelines.key_from_file() is None
    (mounted / "secrets" / "..data" / "key").unlink()
    assert pipelines.key_from_file() is None
    assert Settings().pipelines.key_from_file() is None


def test_a_missing_file_is_a_warning_with_its_place_for_what_does_not_deliver(tmp_path: Path) -> None:
    settings = load(tmp_path, needs_key=False)
    warnings = [str(each).replace(f"{tmp_path}/", "") for each in settings.warnings]
    assert warnings == [
        "worker.yaml:3:20: warning: kafka.properties.sasl.password: the file secrets/password: no such file",
        "worker.yaml:4:18: warning: kafka.properties.ssl.key.pem: the file secrets/pem: no such file",
        "worker.yaml:6:13: warning: schema_registry.password: the file secrets/registry: no such file",
        "worker.yaml:8:12: warning: pipelines.api_key: the file secrets/key: no such file",
    ]
    assert settings.kafka.properties == {}
    assert [each.line for each in settings.kafka.missing_files] == [3, 4]


def test_a_missing_file_is_a_problem_for_what_delivers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path)
    assert [each.line for each in raised.value.problems] == [3, 4, 6, 8]
    assert not any(each.warning for each in raised.value.problems)


@pytest.mark.parametrize("reference", ["{path: x}", "{file: 5}", "{file: ''}", "{file: x, mode: r}", "{}"])
def test_what_is_no_reference_to_a_file_is_a_problem(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, f"kafka: {{properties: {{sasl.password: {reference}}}}}", needs_key=False)
    (problem,) = raised.value.problems
    assert problem.message == "kafka.properties.sasl.password: must be text, or the name of a file"
    assert problem.hint == "write the secret itself, or {file: path}"
    assert problem.line == 1


def test_a_file_that_is_no_text_is_a_problem_that_does_not_quote_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff" + SECRET.encode())
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, "pipelines: {api_key: {file: key}}")
    assert "is not UTF-8 text" in str(raised.value)
    assert SECRET not in str(raised.value)
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path, f"pipelines: {{api_key: {{file: {tmp_path}}}}}")
