"""Everything here runs on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.support.virtual_time import VirtualLoop

if TYPE_CHECKING:
    import pytest


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], VirtualLoop]]:
    return {"virtual": VirtualLoop}
