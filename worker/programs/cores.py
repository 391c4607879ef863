"""How many worker processes this machine has cores for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

_HIERARCHY = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores(hierarchy: Path = _HIERARCHY, membership: Path = _MEMBERSHIP) -> int:
    """The CPU quota of the control group, rounded down, or else the cores that this process may use; at least 1.

    Args:
        hierarchy: where the control groups' files are: `cpu.max` in version 2, `cpu/cpu.cfs_*_us` in version 1. In a
            container they usually are those of the container itself.
        membership: says which groups this process is in.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = (_quota(hierarchy, group) for group in _groups(membership))
    return max(1, min([cores, *(int(each) for each in quotas if each is not None)]))


def _groups(membership: Path) -> Iterator[PurePath]:
    """The groups of this process and those above them, relative to the hierarchy; each may have a quota."""
    yield PurePath()
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            group = PurePath(path.lstrip("/"))
            yield from (group, *group.parents)


def _quota(hierarchy: Path, group: PurePath) -> float | None:
    """Cores; None if there is no quota, or no such group."""
    try:
        quota, period = (hierarchy / group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        folder = hierarchy / "cpu" / group
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None  # `max`: no quota
