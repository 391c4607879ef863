"""The connection between a supervisor and one of its worker processes: questions one way, answers the other.

It is a socket pair, so that nothing listens. A question is one byte. An answer is its length in four bytes, and JSON or
Prometheus text. If one side ends, the other one notices at once: a worker without its supervisor drains.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass

from worker.settings.shares import Process

PROCESS_VARIABLE, LINK_VARIABLE = "PIPELINES_WORKER_PROCESS", "PIPELINES_WORKER_LINK"
RESTARTED_VARIABLE = "PIPELINES_WORKER_RESTARTED"
"""Environment variables by which a process knows its number, the file descriptor of its link, and, if it is there, that
one before it ended unexpectedly."""

ALIVE, READY, STATUS, METRICS = b"a", b"r", b"s", b"m"

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Supervised:
    """What a worker process knows of its place under a supervisor.

    Attributes:
        process: which one it is.
        link: its end of the connection.
        restarted: whether one before it ended unexpectedly.
    """

    process: Process
    link: socket.socket
    restarted: bool = False

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Supervised | None:
        """Take it from the environment, so that programs that this one starts do not find it there; None if alone."""
        process, link = environ.pop(PROCESS_VARIABLE, None), environ.pop(LINK_VARIABLE, None)
        restarted = environ.pop(RESTARTED_VARIABLE, None) is not None
        if process is None or link is None:
            return None
        return cls(Process.parse(process), socket.socket(fileno=int(link)), restarted)


class Asking:
    """The supervisor's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked: deque[asyncio.Future[bytes]] = deque()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def over(cls, connection: socket.socket) -> Asking:
        """Ask over this end of a socket pair."""
        return cls(*await asyncio.open_connection(sock=connection))

    async def ask(self, question: bytes) -> bytes:
        """The answer to a question. If the caller stops waiting, the answer is dropped when it comes.

        Raises:
            ConnectionError: the other side has ended.
        """
        if self._reading.done():
            raise ConnectionError("the worker process has ended")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._writer.write(question)
        return await answer

    async def close(self) -> None:
        """Close this end."""
        self._reading.cancel()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                body = await self._reader.readexactly(length)
                answer = self._asked.popleft()
                if not answer.done():
                    answer.set_result(body)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(ConnectionError("the worker process has ended"))


class Answering:
    """The worker's side: answers in a thread of its own, so that it responds while the event loop is blocked.

    Args:
        connection: this end of the socket pair.
        answers: called for each question, in the thread; may block for a moment.
        on_gone: called in the thread when the supervisor has ended.
    """

    def __init__(
        self,
        connection: socket.socket,
        answers: Mapping[bytes, Callable[[], bytes]],
        on_gone: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._answers = answers
        self._on_gone = on_gone
        threading.Thread(target=self._serve, name="supervisor", daemon=True).start()

    def _serve(self) -> None:
        with self._connection, suppress(OSError):
            while question := self._connection.recv(1):
                body = self._answers[question]()
                self._connection.sendall(_LENGTH.pack(len(body)) + body)
        self._on_gone()
