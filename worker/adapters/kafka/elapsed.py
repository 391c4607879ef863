"""A clock for durations that another machine measures, too."""

from __future__ import annotations

import time


def elapsed() -> float:
    """Seconds, which also pass while the machine is suspended where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
