"""The settings that `docs/connecting.md` shows are complete, and each provider has some."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.connecting import MOUNTED, examples, rows
from worker.cli.main import run

MAPPING = "topics: [orders]\nrules: [{call: track, event: Ordered, userId: id}]\n"
PROVIDER = "import time\n\ndef kafka_token():\n    return 'token', time.time() + 600\n"


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for `/run/secrets/`."""
    folder = tmp_path_factory.mktemp("secrets")
    authority = Authority(folder / "authority", "tests")
    key, certificate = authority.issue("client")
    (folder / "kafka").mkdir()
    (folder / "customerio").mkdir()
    for name, source in {"ca.crt": authority.certificate, "user.crt": certificate, "user.key": key}.items():
        (folder / "kafka" / name).write_bytes(source.read_bytes())
    for name in ("kafka/username", "kafka/password", "customerio/api-key"):
        (folder / name).write_text("something\n")
    return folder


@pytest.mark.parametrize("title", examples())
def test_the_settings_that_are_shown_have_no_problems_and_no_warnings(
    title: str,
    tmp_path: Path,
    mounted: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config" / "mappings").mkdir(parents=True)
    (tmp_path / "config" / "mappings" / "orders.yaml").write_text(MAPPING)
    (tmp_path / "config" / "tokens.py").write_text(PROVIDER)
    (tmp_path / "config" / "worker.yaml").write_text(examples()[title].replace(MOUNTED, f"{mounted}/"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKA_USERNAME", "worker")
    assert run(["check", "--strict"]) == 0, capfd.readouterr().out


def test_each_provider_has_its_settings() -> None:
    titles = " ".join(examples())
    for provider in (
        "Confluent Cloud",
        "MSK with IAM",
        "MSK with SCRAM",
        "Event Hubs",
        "Redpanda",
        "Strimzi",
        "Aiven",
    ):
        assert provider in titles


def test_twenty_wrong_configurations_and_more_are_shown() -> None:
    assert len({row.wrong for row in rows()}) >= 20
