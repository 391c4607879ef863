"""Produces the sample events to a real Kafka, continuously: `python -m worker.demo.produce`."""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaError, Message, Producer

from worker.adapters.kafka.clients import make_producer
from worker.demo.events import sample_events
from worker.demo.sending import send

_ROUND = 4_000


def main(arguments: list[str] | None = None) -> int:
    """Produce until SIGTERM or SIGINT; exit code 1 if Kafka refused a record."""
    parser = argparse.ArgumentParser(prog="python -m worker.demo.produce", description=__doc__)
    parser.add_argument("--bootstrap-servers", required=True, help="HOST:PORT of a broker")
    parser.add_argument("--rate", type=float, default=20.0, help="records per second")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return produce(make_producer({"bootstrap.servers": options.bootstrap_servers}), options.rate, stop)


def produce(producer: Producer, rate: float, stop: threading.Event) -> int:
    """Produce `rate` records per second until `stop` is set; returns the exit code."""
    refused: list[str] = []

    def acknowledged(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error.str())

    for seed in itertools.count():
        until = datetime.now(UTC) + timedelta(seconds=_ROUND / rate)
        for sample in sample_events(_ROUND, until=until, interval=1 / rate, seed=seed):
            if stop.wait(1 / rate) or refused:
                producer.flush(10)
                sys.stderr.write("".join(f"Kafka refused a record: {reason}\n" for reason in refused[:1]))
                return 1 if refused else 0
            send(producer, sample, acknowledged)
            producer.poll(0)
    raise AssertionError("count() does not end")


if __name__ == "__main__":
    sys.exit(main())
