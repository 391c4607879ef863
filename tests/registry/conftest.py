"""A real schema registry and a real Kafka for tests of formats with schemas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.conftest import (  # noqa: F401 - the fixtures of tests/kafka are those of this folder too
    emulator,
    kafka,
    kafka_servers,
    need_a_broker_of_our_own,
    site,
)
from tests.support.registry import Registry


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here takes a registry, which boots in 17 seconds."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry for all tests; each uses subjects of its own."""
    need_a_broker_of_our_own()
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def own_registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry that this test may stop."""
    need_a_broker_of_our_own()
    with Registry(tmp_path) as running:
        yield running
