"""An API that answers at once: counts what it gets and validates nothing, so that its clients are measured.

Everything but GET is counted and answered with `{}` after `--latency` seconds. Prints its port. Run by `stage.py`.

- GET / answers `{"requests": n, "calls": n, "bytes": n}`;
- GET /hang?10 lets the next request hang for 10 s;
- GET /report (with `--examine`) answers what the calls say of themselves, see `Examined`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import time
from datetime import datetime
from typing import Any

import orjson

ANSWER = b"HTTP/1.1 %d Sink\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Examined:
    """What `events.TRACED`'s calls tell: whether a key's come in order, and how old they are at their 2xx."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._disorder = 0
        self._ages: list[tuple[float, float, str]] = []
        self._hung: set[str] = set()
        self._hung_from = self._hung_until = 0.0

    def hang_begins(self, body: bytes) -> None:
        """This request will hang."""
        self._hung_from = time.time()
        self._hung = {call["userId"] for call in orjson.loads(body)["batch"]}

    def hang_ends(self) -> None:
        """It is answered."""
        self._hung_until = time.time()

    def answered(self, body: bytes, now: float) -> None:
        """This request was answered at `now`."""
        for call in orjson.loads(body)["batch"]:
            key, version = call["userId"], call["properties"]["sequence"]
            self._disorder += version != self._versions.get(key, 0) + 1
            self._versions[key] = version
            produced = datetime.fromisoformat(call["timestamp"]).timestamp()
            self._ages.append((produced, now - produced, key))

    def report(self) -> dict[str, Any]:
        """Disorder (repeats and gaps count); ages of all; and of what was under way at any time while a request hung.

        `others` are the keys that no call of that request has.
        """
        began, ended = self._hung_from, self._hung_until
        ages = sorted(age for _, age, _ in self._ages)
        others = sorted(
            age
            for produced, age, key in self._ages
            if produced <= ended and produced + age >= began and key not in self._hung
        )
        return {
            "disorder": self._disorder,
            "age_p50": _percentile(ages, 0.5),
            "age_p99": _percentile(ages, 0.99),
            "hung_keys": len(self._hung),
            "hung_for": ended - began,
            "others": len(others),
            "others_p50": _percentile(others, 0.5),
            "others_p99": _percentile(others, 0.99),
            "others_late": sum(age > 1 for age in others),
            "arrived": sum(began <= produced < ended for produced, _, _ in self._ages),
            "answered": sum(began <= produced + age < ended for produced, age, _ in self._ages),
        }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))] if ordered else float("nan")


class Sink:
    """What has arrived, and how the next request is answered."""

    def __init__(self, latency: float, status: int, examined: Examined | None) -> None:
        self._latency = latency
        self._answer = ANSWER % status
        self._examined = examined
        self._hang = 0.0
        self._requests = self._calls = self._size = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after the other."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    text = json.dumps(self._get(head.split(b" ", 2)[1].decode())).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
                    continue
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await self._take(await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _get(self, path: str) -> dict[str, Any]:
        if path.startswith("/hang"):
            self._hang = float(path.partition("?")[2])
        if path == "/report" and self._examined:
            return self._examined.report()
        return {"requests": self._requests, "calls": self._calls, "bytes": self._size}

    async def _take(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        hang, self._hang = self._hang, 0.0
        if hang and self._examined:
            self._examined.hang_begins(body)
        await asyncio.sleep(hang or self._latency)
        if hang and self._examined:
            self._examined.hang_ends()
        self._requests += 1
        self._calls += body.count(b'"messageId":')
        self._size += len(body)
        writer.write(self._answer)
        if self._examined:
            self._examined.answered(body, time.time())


async def main() -> None:
    """Serve until killed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--latency", type=float, default=0.0)
    arguments.add_argument("--status", type=int, default=200)
    arguments.add_argument("--examine", action="store_true")
    arguments.add_argument("--certificate", help="speak TLS")
    arguments.add_argument("--key", help="the certificate's")
    chosen = arguments.parse_args()
    sink = Sink(chosen.latency, chosen.status, Examined() if chosen.examine else None)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if chosen.certificate else None
    if tls:
        tls.load_cert_chain(chosen.certificate, chosen.key)
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
