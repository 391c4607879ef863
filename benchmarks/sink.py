"""An API that answers at once: counts what it gets and validates nothing, so that its clients are measured.

GET / answers `{"requests": n, "calls": n, "bytes": n}`; everything else is counted and answered with `{}` after
`--latency` seconds. Run by `compare.py`; prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import json

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Counts:
    """What has arrived."""

    requests = calls = size = 0


async def serve_client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float, hang: list[float]
) -> None:
    """Answer one connection's requests, one after the other."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET"):
                text = json.dumps(
                    {"requests": Counts.requests, "calls": Counts.calls, "bytes": Counts.size}
                ).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
                continue
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            await asyncio.sleep(hang.pop() if hang else latency)
            Counts.requests += 1
            Counts.calls += body.count(b'"messageId":')
            Counts.size += length
            writer.write(EMPTY)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve until killed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--latency", type=float, default=0.0)
    arguments.add_argument("--hang", type=float, default=0.0, help="the first request takes so long")
    chosen = arguments.parse_args()
    hang = [chosen.hang] if chosen.hang else []
    server = await asyncio.start_server(
        lambda reader, writer: serve_client(reader, writer, chosen.latency, hang),
        "127.0.0.1",
        0,
        limit=1 << 20,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
