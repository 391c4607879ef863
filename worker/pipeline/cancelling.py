"""Ends tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any


async def cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel these tasks, and wait until all have ended; what they raise is dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
