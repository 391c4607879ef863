"""A pytest plugin for testing mappings and Python mappers, with the fixtures that `pipelines-worker test` runs.

In the `conftest.py` at the root of your project:

    pytest_plugins = ["worker.testing"]

Then pytest collects the fixture files beside worker.yaml (`config/tests/*.yaml`), with one test for each fixture:

    pytest config/tests

Your own tests can map an event with the fixture `map_event`:

    def test_a_simulator_is_not_for_customer_io(map_event):
        event = {"type": "device.registered", "user_id": "u", "device": {"token": "t", "simulator": True}}
        assert map_event("devices", event) == {"ignored": "the mapper returned nothing"}

The settings are read from `config/worker.yaml`. To use another file, set `worker_config` in pytest's configuration,
relative to pytest's root directory. No API key is needed, and nothing is sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import orjson
import pytest

from worker.documents.files import read_file
from worker.mapping.mappings import Mappings
from worker.mapping.trying.fixtures import Fixture, key_bytes, read_fixtures, run_fixture
from worker.mapping.trying.preview import PreviewRecord, map_event
from worker.programs.configuration import load_mappings
from worker.settings import load_settings

_MAPPINGS = pytest.StashKey[Mappings]()
_EPOCH_2026 = 1_767_225_600_000


class MapEvent(Protocol):
    """The type of the fixture `map_event`."""

    def __call__(
        self,
        topic: str,
        event: Mapping[str, Any] | None,
        *,
        key: Any = None,
        headers: Mapping[str, str] | None = None,
        timestamp: int | None = None,
    ) -> dict[str, Any]:
        """Map an event. Returns `{"calls": [...]}`, `{"ignored": why}` or `{"rejected": {...}}`.

        Args:
            topic: its topic.
            event: the decoded event; None for a tombstone.
            key: the record's key: text, or what a key in JSON holds.
            headers: the record's headers.
            timestamp: the record's timestamp, epoch milliseconds; by default that of 2026-01-01, to which
                `limits.future` does not apply.
        """
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting `worker_config`."""
    parser.addini("worker_config", "the settings of the worker", default="config/worker.yaml")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the fixture files in `tests` beside worker.yaml."""
    folder = _config_file(parent.config).parent / "tests"
    if file_path.suffix in {".yaml", ".yml"} and folder in file_path.parents:
        return FixtureFile.from_parent(parent, path=file_path)
    return None


@pytest.fixture(scope="session")
def mappings(pytestconfig: pytest.Config) -> Mappings:
    """The mappings of the configuration under test."""
    return _mappings(pytestconfig)


@pytest.fixture(scope="session", name="map_event")
def map_event_(mappings: Mappings) -> MapEvent:
    """Maps an event; see `MapEvent`."""

    def ask(
        topic: str,
        event: Mapping[str, Any] | None,
        *,
        key: Any = None,
        headers: Mapping[str, str] | None = None,
        timestamp: int | None = None,
    ) -> dict[str, Any]:
        value = None if event is None else orjson.dumps(event)
        named: list[tuple[str, bytes | None]] = [
            (name, text.encode()) for name, text in (headers or {}).items()
        ]
        record = PreviewRecord(
            topic,
            value,
            key_bytes(key),
            named,
            _EPOCH_2026 if timestamp is None else timestamp,
            made_up_time=timestamp is None,
        )
        return map_event(mappings, record)

    return ask


class FixtureFile(pytest.File):
    """A file of mapping fixtures."""

    def collect(self) -> Iterator[pytest.Item]:
        """Create a test for each fixture."""
        for fixture in read_fixtures(read_file(self.path), str(self.path)):
            yield FixtureTest.from_parent(self, name=fixture.name, fixture=fixture)


class FixtureTest(pytest.Item):
    """One mapping fixture."""

    def __init__(self, *, fixture: Fixture, **given: Any) -> None:
        super().__init__(**given)
        self._fixture = fixture

    def runtest(self) -> None:
        """Fail with the differences between the expected and the actual result, if there are any."""
        result = run_fixture(_mappings(self.config), self._fixture)
        if not result.passed:
            pytest.fail(f"{self._fixture.at}, rule {result.rule or 'none'}\n{result.diff}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file and line of the fixture."""
        return self.path, int(self._fixture.at.rpartition(":")[2]) - 1, self.name


def _config_file(config: pytest.Config) -> Path:
    return Path(config.rootpath / config.getini("worker_config"))


def _mappings(config: pytest.Config) -> Mappings:
    """Load the mappings once. Raises `ConfigError` with all problems."""
    if _MAPPINGS not in config.stash:
        settings = load_settings(_config_file(config), os.environ, needs_key=False)
        config.stash[_MAPPINGS] = load_mappings(settings, secrets_by_name=True).taking_json()
    return config.stash[_MAPPINGS]
