"""Standard output and error that never raise: if closed, full or without a reader, they discard what is written.

So a command's work and its exit code do not depend on what reads its output.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def protect_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr`; before any file or connection is opened, which could take their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number, which is this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    sys.stdout, sys.stderr = _protected(sys.stdout, 1), _protected(sys.stderr, 2)


def output_is_gone() -> bool:
    """Whether the reader of standard output has closed it, so that a command can end early."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, _Descriptor) and raw.is_gone


class _Descriptor(io.RawIOBase):
    """A file descriptor that discards everything (`/dev/null`)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.is_gone = False

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        size = memoryview(data).nbytes
        while not self.is_gone:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except BrokenPipeError:
                self.is_gone = True
            except OSError:
                break  # the disk is full: later output may fit again
        return size


def _protected(stream: io.TextIOWrapper | object, descriptor: int) -> io.TextIOWrapper:
    """A stream like this one, which is None where the descriptor was closed."""
    unbuffered = line_by_line = False
    encoding, errors = "utf-8", "backslashreplace"
    if isinstance(stream, io.TextIOWrapper):
        encoding, errors = stream.encoding, stream.errors or "strict"
        unbuffered, line_by_line = stream.write_through, stream.line_buffering
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(descriptor)),
        encoding=encoding,
        errors=errors,
        line_buffering=line_by_line,
        write_through=unbuffered,
    )
