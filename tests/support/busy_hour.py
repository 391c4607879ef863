"""An hour of a worker's life, made up: steady work, an outage of the API, the recovery. The same each time."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from worker.telemetry.history import INTERVAL_SECONDS, History
from worker.telemetry.metrics import Observation
from worker.telemetry.telemetry import Telemetry

SECONDS = 2 * 3600
"""How long it has run, so that the oldest hour is gone."""

OUTAGE = range(SECONDS - 1500, SECONDS - 1320)
RATE = 240.0
CALLS_A_SECOND = 420.0
"""What it delivers at most while it catches up."""


@contextmanager
def busy_hour() -> Iterator[Telemetry]:
    """The telemetry of a worker after that time."""
    telemetry = Telemetry(version="1.0.0")
    started_at = float(int(time.time()) // INTERVAL_SECONDS * INTERVAL_SECONDS - SECONDS)
    clock = Clock(started_at)
    telemetry._started_at = started_at
    telemetry._history = History(telemetry._totals, clock=clock)
    for topic in ("customers", "orders"):
        telemetry.rules_known(topic, [f"config/mappings/{topic}.yaml:21"])
    try:
        _live(telemetry, clock)
        yield telemetry
    finally:
        telemetry.shutdown()


class Clock:
    """Epoch seconds that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def _live(telemetry: Telemetry, clock: Clock) -> None:
    rng, backlog, waited = random.Random(7), 0.0, 0.0
    for second in range(SECONDS):
        clock.now += 1
        arrived = RATE * (1 + 0.25 * math.sin(second / 500) + rng.gauss(0, 0.08))
        outage = second in OUTAGE
        sent = 0.0 if outage else min(backlog + arrived, CALLS_A_SECOND)
        backlog += arrived - sent
        waited = backlog / RATE if backlog > 1 else 0.0
        _count(telemetry, rng, round(arrived), round(sent * 0.72))
        _request(telemetry, rng, outage=outage, waited=waited)
        now = _observation(backlog, waited)
        telemetry.observe(lambda now=now: now)  # type: ignore[misc]
        telemetry.sample()


def _count(telemetry: Telemetry, rng: random.Random, consumed: int, delivered: int) -> None:
    orders, customers = consumed * 2 // 3, consumed - consumed * 2 // 3
    without_call = telemetry._rule_use.topic("orders").without_call
    without_call.extend(["config/mappings/orders.yaml:14"] * (orders // 5))
    for topic, n, ignored in (("orders", orders, orders // 3), ("customers", customers, customers // 9)):
        telemetry.records_consumed(n, topic)
        telemetry.records_ignored(ignored, topic)
    telemetry.calls_delivered(delivered)
    for reason, chance in (
        ("INVALID_JSON", 0.05),
        ("MISSING_ID", 0.02),
        ("HTTP_400", 0.004),
        ("NO_CONSENT", 0.01),
    ):
        if rng.random() < chance:
            telemetry.dead_letters_written(1, reason, "orders")


def _request(telemetry: Telemetry, rng: random.Random, *, outage: bool, waited: float) -> None:
    for _ in range(2):
        seconds = rng.lognormvariate(-2.9, 0.35) * (6 if outage or waited > 5 else 1)
        telemetry.request_finished(503 if outage else 200, seconds, 61_000)
        if outage:
            telemetry.request_retried("503")
        else:
            telemetry.freshness_measured(waited + 0.5 + seconds + rng.random() * 0.3)


def _observation(backlog: float, waited: float) -> Observation:
    lag = {("orders", number): int(backlog * (0.2 if number else 0.4)) for number in range(3)}
    idle = {(topic, number): 0 for topic, n in (("customers", 6), ("devices", 12)) for number in range(n)}
    return Observation(
        in_progress_records=round(backlog) + 212,
        in_progress_bytes=(round(backlog) + 212) * 690,
        in_flight_requests=3,
        rate_limit_share=3000,
        lag={**lag, **idle, ("orders", 3): 212},
        oldest_undelivered={("orders", 3): 0.41, **{each: waited for each, n in lag.items() if n}},
    )
