"""A real HTTP server on loopback that responds as scripted: correctly, badly, in part or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]
"""Writes one answer and says whether the connection stays open."""

MAX_REQUEST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came: header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FaultyServer:
    """What a scripted server has seen.

    Attributes:
        script: one response for each request, in order; the last one is repeated.
        greeting: sent to each connection before anything is read, for protocols that are not HTTP.
        requests: whole requests, in order of arrival.
        connections: how many were accepted.
    """

    script: list[Answer]
    greeting: bytes = b""
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            writer.write(self.greeting)
            while not self.greeting and (request := await _read_request(reader)):
                answer = self.script[min(len(self.requests), len(self.script) - 1)]
                self.requests.append(request)
                if not await answer(reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def faulty_server(*script: Answer, greeting: bytes = b"") -> AsyncIterator[FaultyServer]:
    """Serve the script on a port of the system's choice until the block ends."""
    faulty = FaultyServer(list(script), greeting)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(faulty.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=MAX_REQUEST_BYTES)
    faulty.port = server.sockets[0].getsockname()[1]
    try:
        yield faulty
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def unused_port() -> int:
    """A port on which nothing listens, and that no outgoing connection gets meanwhile: Linux begins at 32768."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def raw(data: bytes, *, stays_open: bool = False) -> Answer:
    """These bytes, whatever they mean."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await writer.drain()
        return stays_open

    return answer


def reply(
    status: int = 200,
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    *,
    then_closes: bool = False,
) -> Answer:
    """A whole answer; with `then_closes` the connection is closed behind it, without having said so."""
    return raw(
        _head(status, {"Content-Length": str(len(body)), **(headers or {})}) + body,
        stays_open=not then_closes,
    )


def html(status: int = 200) -> Answer:
    """What a captive portal or a gateway says."""
    body = b"<!doctype html><html><head><title>Please log in</title></head><body>Welcome</body></html>"
    return reply(status, body, {"Content-Type": "text/html"})


def redirect(location: str, status: int = 307) -> Answer:
    """Somewhere else."""
    return reply(status, b"", {"Location": location})


def huge(size: int, status: int = 200) -> Answer:
    """A whole JSON text of this many bytes."""
    return reply(status, b'"' + b"x" * (size - 2) + b'"')


def truncated(body: bytes, promised: int, status: int = 200) -> Answer:
    """Less than Content-Length says, then the end."""
    return raw(_head(status, {"Content-Length": str(promised)}) + body)


def chunked(pieces: Sequence[bytes], *, cut: bool = False, status: int = 200) -> Answer:
    """A chunked answer, one piece after the other; `cut` leaves the last chunk out and closes."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_head(status, {"Transfer-Encoding": "chunked"}))
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        if not cut:
            writer.write(b"0\r\n\r\n")
        return not cut

    return answer


def stall(first: bytes = b"") -> Answer:
    """These bytes, then nothing until the client goes away."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(first)
        await reader.read()
        return False

    return answer


def stall_in_body(status: int = 200) -> Answer:
    """Half an answer, then nothing until the client goes away."""
    return stall(_head(status, {"Content-Length": "100"}) + b'{"meta"')


def reset(first: bytes = b"") -> Answer:
    """These bytes, then a TCP reset."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(first)
        await writer.drain()
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False

    return answer


def reset_in_body(status: int = 200) -> Answer:
    """Half an answer, then a TCP reset."""
    return reset(_head(status, {"Content-Length": "100"}) + b'{"meta"')


def hang_up() -> Answer:
    """The connection's end in place of an answer, as when the server closes it while a request is coming."""
    return raw(b"")


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)
