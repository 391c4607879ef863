"""One browser for the session, and a tab for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support import browser
from tests.support.browser import Tab


@pytest.fixture(scope="session")
def browser_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with browser.running(tmp_path_factory.mktemp("browser")) as url:
        yield url


@pytest.fixture
async def tab(browser_url: str) -> AsyncIterator[Tab]:
    """A tab; when the test is over the page must not have complained in its console."""
    async with browser.tab(browser_url) as opened:
        yield opened
        assert opened.complaints == []
