"""Rows that tell what an event costs: with telemetry, with several calls, with more workers."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from benchmarks.events import THREE_CALLS
from benchmarks.rows import Bench, Row, Topic, ratio
from benchmarks.stage import Measured, sink


def telemetry(bench: Bench) -> Iterator[Row]:
    """Metrics scraped each second and 1 % of the requests traced, against neither."""
    topic = bench.usual()
    off, on = bench.in_turn(lambda: bench.run(topic), lambda: _told(bench, topic))
    yield ratio("CPU an event: telemetry on / off", on, off, target=1.03)


def _told(bench: Bench, topic: Topic) -> Measured:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with sink() as collector, _scraping(f"http://{listen}/metrics"):
        return bench.run(
            topic,
            settings={
                "HTTP__LISTEN": listen,
                "TELEMETRY__OTLP_ENDPOINT": collector.url,
                "TELEMETRY__TRACE_SAMPLE_RATIO": 0.01,
            },
        )


@contextmanager
def _scraping(url: str) -> Iterator[None]:
    done = threading.Event()

    def scrape() -> None:
        while not done.wait(1):
            with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # not up yet; gone
                answer.read()

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        yield
    finally:
        done.set()
        scraper.join()


def calls(bench: Bench) -> Iterator[Row]:
    """Records with three calls each, against records with one."""
    usual = bench.usual()
    three, one = bench.in_turn(
        partial(bench.run, usual, THREE_CALLS, calls_of_event=3), partial(bench.run, usual)
    )
    yield ratio("CPU a call: three calls a record / one", three, one)
