"""What processes use, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
LISTENING = "0A"
"""A listening socket's state in /proc/net/tcp."""


def tree(pid: int) -> Iterator[int]:
    """A process and all that it started, as far as they run."""
    yield pid
    with suppress(FileNotFoundError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from tree(int(child))


def cpu_seconds(*pids: int) -> float:
    """User and system time of processes, and of those that they started, so far."""
    return sum(_ticks(each) for pid in pids for each in tree(pid)) / TICKS


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0
    return int(fields[11]) + int(fields[12])


def status_mib(pid: int, name: str) -> float:
    """A line of a process's status in MiB: `VmRSS` is what is resident, `VmHWM` the most that ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def listening_on(port: int) -> int:
    """The process that listens on a port of this machine.

    Raises:
        ProcessLookupError: there is none, or its descriptors may not be read.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening_sockets(port)}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(descriptor.readlink()) in sockets:
                return int(descriptor.parts[2])
    raise ProcessLookupError(f"nothing listens on port {port}")


def _listening_sockets(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
