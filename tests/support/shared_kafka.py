"""One Kafka for all processes of a parallel test run: the first to need it starts it, the last to leave ends it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.support.kafka_cluster import KafkaCluster

_left_running: list[KafkaCluster] = []
"""Brokers that other processes still use. Kept, so that Python does not warn of a child that was not waited for."""


@contextmanager
def shared_kafka(folder: Path) -> Iterator[str]:
    """The address of a broker that every process with the same `folder` uses.

    Each user holds a shared lock while it needs the broker. Locks end with their process, so a test process that
    crashes keeps nothing alive.
    """
    started: KafkaCluster | None = None
    state = folder / "kafka.json"
    with (folder / "kafka.users").open("a") as users:
        with _one_at_a_time(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not state.exists():
                started = KafkaCluster(folder / "kafka")
                started.start()
                state.write_text(json.dumps({"servers": started.bootstrap_servers, "pid": started.pid}))
            broker = json.loads(state.read_text())
        try:
            yield broker["servers"]
        finally:
            with _one_at_a_time(folder):
                if not _is_last(users):
                    _left_running.extend([started] if started else [])
                elif started:
                    started.kill()
                    state.unlink()
                else:
                    os.kill(broker["pid"], signal.SIGKILL)
                    state.unlink()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / "kafka.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
