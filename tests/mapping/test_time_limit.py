"""Mappings that take long, in real time and with real signals; how long exactly is never asked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.memory_source import MemoryRecord
from worker.core.records import Converter, MappingInterrupted, Record
from worker.mapping.mappers.event import Event
from worker.mapping.mappers.loading import Mapper
from worker.mapping.time_limit import Blocked, Slice, TimeLimit

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 0.2
FOREVER_SECONDS = 60.0
"""Longer than any of these tests may take."""


def records(n: int) -> Slice:
    return Slice(MemoryRecord(("orders", 0), offset) for offset in range(n))


def converting(each: Callable[[Record], object], done: list[int] | None = None) -> Converter:
    def convert(records: Sequence[Record], *_: object) -> int:
        for record in records:
            each(record)
            if done is not None:
                done.append(record.offset())
        return 0

    return convert


def spin(_: object) -> None:
    while True:
        try:
            sum(range(100))
        except Exception:  # noqa: BLE001 - what a careless mapper does
            continue


def swallow(_: object) -> None:
    with contextlib.suppress(BaseException):
        time.sleep(FOREVER_SECONDS)


def hold_the_interpreter(_: object) -> None:
    began = time.thread_time()
    while time.thread_time() - began < 4 * LIMIT_SECONDS:
        sum(range(30_000_000))  # no other thread runs meanwhile


def sleep(_: object) -> None:
    time.sleep(FOREVER_SECONDS)


def hash_in_c(_: object) -> None:
    hashlib.pbkdf2_hmac("sha256", b"", b"", 15_000_000)  # some seconds in which no signal is looked at


@pytest.mark.parametrize("mapping", [spin, sleep, swallow])
def test_a_mapping_that_takes_too_long_is_interrupted(mapping: Callable[[object], None]) -> None:
    done: list[int] = []
    some = records(5)
    convert = converting(lambda record: mapping(record) if record.offset() == 2 else None, done)
    with TimeLimit(LIMIT_SECONDS) as limit:
        with pytest.raises(MappingInterrupted):
            limit.map(convert, some, [], [])
        assert done[:2] == [0, 1]
        assert [record.offset() for record in some] == [0, 1, 2], (
            "what was not begun is left to the next slice"
        )
        rest = records(3)
        limit.map(converting(lambda _: None), rest, [], [])
        assert len(rest) == 3


@pytest.mark.slow
def test_a_call_into_c_that_takes_too_long_is_interrupted_when_it_returns() -> None:
    """In a process of its own: coverage's trace function stops the watching thread during a call into C."""
    call = "t.test_a_mapping_that_takes_too_long_is_interrupted(t.hash_in_c)"
    script = f"from tests.mapping import test_time_limit as t; {call}"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_a_slow_record_is_reported_even_if_the_watching_thread_could_not_run() -> None:
    with TimeLimit(LIMIT_SECONDS) as limit, pytest.raises(MappingInterrupted):
        limit.map(converting(hold_the_interpreter), records(1), [], [])


def test_a_slice_that_takes_long_ends_early_and_keeps_what_was_mapped() -> None:
    done: list[int] = []
    some = records(10_000)
    with TimeLimit(FOREVER_SECONDS) as limit:
        limit.map(converting(lambda _: time.sleep(0.01), done), some, [], [])
    assert 0 < len(some) < 10_000
    assert done == [record.offset() for record in some]


def test_code_that_cannot_be_interrupted_is_reported_while_it_blocks() -> None:
    reported: list[Blocked] = []
    seen = threading.Event()

    def on_blocked(blocked: Blocked) -> None:
        reported.append(blocked)
        seen.set()

    def block(_event: Event) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        try:
            assert seen.wait(FOREVER_SECONDS)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})

    mapper = Mapper("mappers.devices:changed", block)

    def each(record: Record) -> None:
        mapper.answer(Event({}, offset=record.offset()))

    with TimeLimit(LIMIT_SECONDS, on_blocked) as limit, contextlib.suppress(MappingInterrupted):
        limit.map(converting(each), records(1), [], [])
    assert reported[0].mapper == "mappers.devices:changed"
    assert (reported[0].record.topic(), reported[0].record.offset()) == ("orders", 0)
    assert reported[0].place is not None
    assert reported[0].place.startswith(f"{__file__}:")
    assert reported[0].place.endswith(" in block")


def test_nothing_is_interrupted_once_the_mapping_has_ended() -> None:
    with TimeLimit(LIMIT_SECONDS) as limit:
        some = records(2)
        limit.map(converting(lambda _: None), some, [], [])
        limit._overdue = some, 1
        signal.raise_signal(signal.SIGURG)
        assert limit.map(lambda *_: 7, records(2), [], []) == 7


def test_time_in_which_the_process_was_stopped_does_not_count(tmp_path: Path) -> None:
    script = tmp_path / "map_slowly.py"
    script.write_text(
        "import sys\n"
        "from tests.mapping.test_time_limit import converting, records\n"
        "from worker.mapping.time_limit import TimeLimit\n"
        "def each(_):\n"
        "    print('began', flush=True)\n"
        "    sys.stdin.readline()\n"
        "with TimeLimit(1.5) as limit:\n"
        "    limit.map(converting(each), records(1), [], [])\n"
        "print('done', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    ) as child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == "began\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(3)  # what is tested is that this time does not count
        child.send_signal(signal.SIGCONT)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n"
    assert child.returncode == 0
