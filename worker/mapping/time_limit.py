"""Limits the time that mapping a record may take.

Mapping runs on the event loop, so one record whose mapping never returns would stop everything. A thread watches it:

- A slice of records that takes long is cut short after the record being mapped, so that polling goes on.
- A record that takes longer than `limits.mapping_timeout` is interrupted with `MappingInterrupted`.
- A mapping that cannot be interrupted, because C code does not return, is reported while it blocks.

This costs nothing on the hot path: ten times a second the thread reads how far the loop over the slice has got.

The interruption is raised by a signal handler. Python runs handlers in the main thread between two bytecodes, and
blocking system calls (`time.sleep`, a socket) return for them. The handler checks that a mapping is running at that
moment, so it never raises in the pipeline's own code.
"""

from __future__ import annotations

import operator
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from worker.core.records import MappingInterrupted, Record
from worker.mapping.mappers.loading import Mapper, code_file

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from worker.core.records import Converter, QueuedCall, RejectedRecord

TICK_SECONDS = 0.1
"""How often the watching thread checks; a slice that is still running at its second check is cut short. Short against
the poll interval, and rare enough to cost no measurable time."""

REPORT_SHARE = 0.5
"""The share of the limit after which a running mapping is reported, so that it is logged before it is interrupted."""

REPORT_AGAIN_SECONDS = 10.0
"""How often a mapping that keeps blocking is reported again."""

_SIGNAL = signal.SIGURG
"""Ignored by default, and sent only for out-of-band data, which the worker does not use. Go's runtime uses it likewise,
to preempt goroutines."""


class Slice(list[Record]):
    """Records of one partition that are mapped by one `for` loop, and can be cut short while that runs.

    The loop uses the list's own iterator, so it is as fast as a loop over any list.
    """

    _iterator: Iterator[Record] = iter(())

    def __iter__(self) -> Iterator[Record]:
        """Begin the loop."""
        self._iterator = super().__iter__()
        return self._iterator

    @property
    def at(self) -> int:
        """The index of the record that is being mapped; the last if the loop has ended or not begun."""
        return len(self) - operator.length_hint(self._iterator) - 1

    def cut(self) -> None:
        """Drop the records that the loop has not reached. Call it only in the thread that runs the loop."""
        del self[self.at + 1 :]


@dataclass(frozen=True, slots=True)
class Blocked:
    """A mapping that has been running for long.

    Attributes:
        record: the record being mapped.
        mapper: the name of the Python mapper; None for a rule without one.
        place: `file:line in function` of the running code.
        seconds: how long it has been running.
    """

    record: Record
    mapper: str | None
    place: str | None
    seconds: float


class TimeLimit(AbstractContextManager["TimeLimit"]):
    """Runs mappings, and as a context manager watches them.

    Only the main thread can be interrupted. In other threads, and outside of the context, mappings run without a limit.

    Args:
        seconds: the limit for one record. Time in which the process was stopped or suspended does not count.
        on_blocked: called in the watching thread when a mapping takes long, and repeatedly while it does.

    Attributes:
        seconds: the limit for one record.
        blocked: the mapping that has been running for long at this moment; may be read by any thread.
        interrupted: the last mapping that was interrupted.
    """

    def __init__(self, seconds: float, on_blocked: Callable[[Blocked], None] = lambda _: None) -> None:
        self.blocked: Blocked | None = None
        self.interrupted: Blocked | None = None
        self.seconds = seconds
        self._on_blocked = on_blocked
        self._tick = min(TICK_SECONDS, seconds / 5)  # so that a short limit is measured well enough too
        self._mapped: Slice | None = None
        self._overdue: tuple[Slice, int] | None = None
        self._thread = threading.get_ident()
        self._ended = threading.Event()
        self._watching: threading.Thread | None = None
        self._earlier_handler: signal.Handlers | Callable[..., object] | int | None = None

    def __enter__(self) -> Self:
        """Begin to watch the calling thread."""
        self._thread = threading.get_ident()
        if threading.current_thread() is threading.main_thread():
            self._earlier_handler = signal.signal(_SIGNAL, self._on_signal)
            self._watching = threading.Thread(target=self._watch, name="mapping-watch", daemon=True)
            self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        self._ended.set()
        if self._watching is not None:
            self._watching.join()
            signal.signal(_SIGNAL, self._earlier_handler)

    def map(
        self, convert: Converter, records: Slice, calls: list[QueuedCall], rejected: list[RejectedRecord]
    ) -> int:
        """See `records.Converter`. Afterwards `records` contains those that were mapped, which may be fewer.

        Raises:
            MappingInterrupted: the last of `records` took longer than the limit. `calls` and `rejected` are incomplete.
        """
        began = time.thread_time()
        self._mapped = records
        try:
            ignored = convert(records, calls, rejected)
        finally:
            self._mapped = None
        # A mapper may have swallowed the interruption with a bare `except`.
        if self._is_overdue(records):
            raise MappingInterrupted
        # C code that holds the interpreter's lock stops the watching thread, so a single record is timed here as well.
        if len(records) == 1 and time.thread_time() - began > self.seconds and self._watching is not None:
            self.interrupted = None
            raise MappingInterrupted
        return ignored

    def _on_signal(self, _signal: int, frame: FrameType | None) -> None:
        """Cut the slice short, and raise if its current record is overdue. Runs in the mapping thread."""
        records = self._mapped
        if records is None or frame is None or frame.f_code is _MAP:
            return  # no mapping is running: it has just ended, or `map` has not called it yet
        records.cut()
        if self._is_overdue(records):
            self.interrupted = self.blocked
            raise MappingInterrupted

    def _is_overdue(self, records: Slice) -> bool:
        overdue = self._overdue
        return overdue is not None and overdue[0] is records and overdue[1] == records.at

    # Everything below runs in the watching thread.

    def _watch(self) -> None:
        clock = _RunningTime(self._thread)
        seen: tuple[Slice, int] | None = None
        spent = 0.0  # how long the record at `seen` has been mapped, at least
        report_at = first_report = self.seconds * REPORT_SHARE
        while not self._ended.wait(self._tick):
            ran = clock.advanced(2 * self._tick)
            records = self._mapped
            if records is None:
                seen = self.blocked = None
                continue
            now = records, records.at
            # Slices are compared by identity: `==` would compare their records.
            if seen is None or seen[0] is not now[0] or seen[1] != now[1]:
                spent, report_at, self.blocked = 0.0, first_report, None
                # A slice at its first check may have begun just now: it is not cut short yet.
                if seen is None or seen[0] is not now[0]:
                    seen = now
                    continue
                seen = now
            else:
                spent += ran
            if spent >= report_at:
                report_at = spent + REPORT_AGAIN_SECONDS
                self._report(records, now[1], spent)
            self._overdue = now if spent >= self.seconds else None
            # At the second check the handler cuts the slice short; for an overdue record it raises.
            signal.pthread_kill(self._thread, _SIGNAL)

    def _report(self, records: Slice, at: int, spent: float) -> None:
        mapper, place = _running(sys._current_frames().get(self._thread))  # noqa: SLF001 - documented by Python
        try:
            record = records[at]
        except IndexError:  # the slice was cut meanwhile
            return
        self.blocked = Blocked(record, mapper, place, spent)
        self._on_blocked(self.blocked)


_MAP = TimeLimit.map.__code__


class _RunningTime:
    """Measures how long a thread has been able to run, without time in which the process was stopped or suspended.

    A stopped process does not tick either, so each tick counts as at most twice its length. Processor time counts in
    full, because C code that holds the interpreter's lock keeps the watching thread from ticking.
    """

    def __init__(self, thread: int) -> None:
        self._cpu_clock = time.pthread_getcpuclockid(thread) if sys.platform == "linux" else None
        self._at, self._cpu = time.monotonic(), self._cpu_time()

    def advanced(self, at_most: float) -> float:
        """Seconds since the last call."""
        at, cpu = time.monotonic(), self._cpu_time()
        ran = max(min(at - self._at, at_most), cpu - self._cpu)
        self._at, self._cpu = at, cpu
        return ran

    def _cpu_time(self) -> float:
        return 0.0 if self._cpu_clock is None else time.clock_gettime(self._cpu_clock)


def _running(frame: FrameType | None) -> tuple[str | None, str | None]:
    """The mapper that a stack is in, and the place of the running code, in the mapper's own file if possible."""
    frames: list[FrameType] = []
    while frame is not None and frame.f_code is not _MAP:
        if frame.f_code is Mapper.answer.__code__:
            mapper: Mapper = frame.f_locals["self"]
            own = [each for each in frames if each.f_code.co_filename == code_file(mapper.function)]
            return mapper.name, _place([*own, *frames])
        frames.append(frame)
        frame = frame.f_back
    return None, _place(frames)


def _place(frames: list[FrameType]) -> str | None:
    if not frames:
        return None
    code = frames[0].f_code
    return f"{code.co_filename}:{frames[0].f_lineno} in {code.co_name}"
