"""`python -m worker`, with a probe of its event loop: `python lag.py FILE ARGUMENT...`.

The probe asks to be called each millisecond. Where it is called later, it writes to FILE from when to when, on the
monotonic clock: all that the loop did, or waited for, between two calls.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from worker.__main__ import main as worker_main

INTERVAL = 0.001
REPORTED = 0.002
"""A gap from which on the probe writes, seconds."""


def probe(loop: asyncio.AbstractEventLoop, file: TextIO, last: float) -> None:
    """Write the gap since the last call, and ask for the next."""
    now = time.monotonic()
    if now - last > REPORTED:
        print(last, now, file=file, flush=True)
    loop.call_later(INTERVAL, probe, loop, file, time.monotonic())


async def probed(running: Coroutine[Any, Any, int], file: TextIO) -> int:
    """Run the worker beside the probe."""
    probe(asyncio.get_running_loop(), file, time.monotonic())
    return await running


def main() -> None:
    """Run the worker's command line, with the probe in its event loop."""
    run = uvloop.run
    with (
        Path(sys.argv.pop(1)).open("w", encoding="utf-8") as file,
        patch.object(uvloop, "run", lambda running: run(probed(running, file))),
    ):
        worker_main()


if __name__ == "__main__":
    main()
