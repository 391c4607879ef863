from __future__ import annotations

import os
from pathlib import Path

import pytest

from worker.programs.cores import available_cores

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, min(1, HERE)),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1000000000 100000\n"}, HERE),
        ({"cpu.max": "max 100000\n"}, HERE),
        ({"cpu/cpu.cfs_quota_us": "120000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, HERE),
        ({"cpu.max": "nonsense\n"}, HERE),
        ({}, HERE),
    ],
)
def test_the_quota_is_rounded_down_and_no_quota_means_all_cores(
    tmp_path: Path, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_cores(tmp_path, tmp_path / "membership") == cores


@pytest.mark.parametrize(
    ("membership", "file"),
    [
        ("0::/system.slice/worker.service\n", "system.slice/worker.service/cpu.max"),
        ("0::/system.slice/worker.service\n", "system.slice/cpu.max"),
        ("1:name=systemd:/\n4:cpu,cpuacct:/docker/5d\n0::/\n", "cpu/docker/5d/cpu.cfs_quota_us"),
        ("0::/seen/from/the/host\n", "cpu.max"),
    ],
)
def test_a_group_of_the_process_and_each_above_it_may_have_a_quota(
    tmp_path: Path, membership: str, file: str
) -> None:
    quota = tmp_path / "cgroup" / file
    quota.parent.mkdir(parents=True)
    quota.write_text("50000" if file.endswith("_us") else "50000 100000\n")
    quota.with_name("cpu.cfs_period_us").write_text("100000")
    (tmp_path / "membership").write_text(membership)
    assert available_cores(tmp_path / "cgroup", tmp_path / "membership") == 1
