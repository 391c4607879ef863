"""What each Kafka client is configured with: the worker's own properties, the user's, the worker's defaults.

In this order: what the worker's promises rest on goes before the user's `kafka.properties`, they before the
defaults here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from worker.telemetry.logs import LogRateLimiter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.settings import Kafka, Memory

CONSUMER_ONLY = frozenset(
    [
        "auto.commit.enable",
        "auto.commit.interval.ms",
        "auto.offset.reset",
        "check.crcs",
        "consume.callback.max.messages",
        "coordinator.query.interval.ms",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.partition.eof",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "group.protocol.type",
        "group.remote.assignor",
        "heartbeat.interval.ms",
        "isolation.level",
        "max.partition.fetch.bytes",
        "max.poll.interval.ms",
        "max.poll.records",
        "offset.store.method",
        "offset.store.path",
        "offset.store.sync.interval.ms",
        "partition.assignment.strategy",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "session.timeout.ms",
        "share.acknowledgement.mode",
    ]
)
"""Marked C in librdkafka 2.16's table of properties (CONFIGURATION.md)."""

PRODUCER_ONLY = frozenset(
    [
        "acks",
        "batch.num.messages",
        "batch.size",
        "compression.codec",
        "compression.level",
        "compression.type",
        "delivery.report.only.error",
        "delivery.timeout.ms",
        "enable.gapless.guarantee",
        "enable.idempotence",
        "linger.ms",
        "message.send.max.retries",
        "message.timeout.ms",
        "partitioner",
        "produce.offset.report",
        "queue.buffering.backpressure.threshold",
        "queue.buffering.max.kbytes",
        "queue.buffering.max.messages",
        "queue.buffering.max.ms",
        "queuing.strategy",
        "request.required.acks",
        "request.timeout.ms",
        "retries",
        "sticky.partitioning.linger.ms",
        "transaction.timeout.ms",
        "transactional.id",
    ]
)
"""Marked P in the same table."""

CLIENT_ID = "customerio-pipelines-worker"

PREFETCH_SHARE = 8
"""One part in so many of `memory.max_bytes` is for what librdkafka fetches ahead.

A call in memory costs about four times its body, and pausing throws away what was fetched ahead: a small
queue costs less than a large one.
"""

DELIVERY_TIMEOUT_MS = 30_000
"""A dead letter is acknowledged within this, or its write answers why not."""

LARGEST_LETTER_BYTES = 100_000_000
"""The client's own limit must never be what refuses a letter: the topic's is what counts."""

FETCH_OVERHEAD_BYTES = 512
"""librdkafka wants `receive.message.max.bytes` to be larger than `fetch.max.bytes` by this much."""

MESSAGE_MAX_BYTES = 1_000_000
"""librdkafka's default of `message.max.bytes`, which `fetch.max.bytes` must not be below."""

READER_FETCH = {
    "fetch.message.max.bytes": 100_000,
    "fetch.max.bytes": MESSAGE_MAX_BYTES,
    "queued.min.messages": 2_000,
    "queued.max.messages.kbytes": 4_000,
}
"""Fetched sizes are compressed ones: dead letters of one kind grow tenfold, in a process that should stay small.

A record larger than these still comes: brokers send at least one."""

ALIASES = {
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
    "message.timeout.ms": "delivery.timeout.ms",
    "queue.buffering.max.ms": "linger.ms",
    "compression.codec": "compression.type",
}
"""Two names of one property: a default under the one must not stand beside the user's value under the other."""


def consumer_properties(kafka: Kafka, memory: Memory) -> dict[str, Any]:
    """The consumer's configuration, without callbacks."""
    user = {name: value for name, value in kafka.properties.items() if name not in PRODUCER_ONLY}
    prefetch_kbytes = max(1024, memory.max_bytes // PREFETCH_SHARE // 1024)
    defaults = {
        "client.id": CLIENT_ID,
        # The default of 1,000 ms caps the worker at a quarter of its speed with a small queue.
        "fetch.queue.backoff.ms": 20,
        "queued.max.messages.kbytes": prefetch_kbytes,
        "queued.min.messages": 20_000,
        "fetch.max.bytes": prefetch_kbytes * 1024,
        # How late an end or a new partition's first record may be told, while nothing else comes.
        "fetch.wait.max.ms": 200,
        "topic.metadata.refresh.interval.ms": 30_000,
    }
    if not is_kip848(user):
        defaults["partition.assignment.strategy"] = "cooperative-sticky"
    return {**_yielding(defaults, user), **user, **_own_of_consumers(kafka)}


def reader_properties(kafka: Kafka, memory: Memory) -> dict[str, Any]:
    """The configuration of a consumer that joins no group and stays small, without callbacks."""
    user = {name: value for name, value in kafka.properties.items() if name not in PRODUCER_ONLY}
    return {**consumer_properties(kafka, memory), **_yielding(READER_FETCH, user)}


def _own_of_consumers(kafka: Kafka) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": kafka.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        # A position that is out of range is told as an event, never skipped over in silence.
        "auto.offset.reset": "error",
    }


def _yielding(defaults: Mapping[str, Any], user: Mapping[str, str]) -> dict[str, Any]:
    """The worker's defaults without those that the user sets, the others changed to go with the user's values.

    librdkafka refuses some values beside others. Where two values of the user's do not go together, it says so.
    """
    given = {ALIASES.get(name, name) for name in user}
    fitted = {name: value for name, value in defaults.items() if name not in given}
    if "fetch.max.bytes" in defaults:
        _fit_fetches(fitted, user)
    if "linger.ms" in fitted:
        timeout = user.get("message.timeout.ms") or user.get("delivery.timeout.ms")
        if timeout is not None and timeout.isdecimal() and 0 < int(timeout) <= fitted["linger.ms"]:
            fitted["linger.ms"] = 0
    return fitted


def _fit_fetches(fitted: dict[str, Any], user: Mapping[str, str]) -> None:
    most = _number(user, "receive.message.max.bytes", LARGEST_LETTER_BYTES) - FETCH_OVERHEAD_BYTES
    if "fetch.max.bytes" in fitted:
        least = _number(user, "message.max.bytes", 0)
        fitted["fetch.max.bytes"] = max(least, min(most, fitted["fetch.max.bytes"]))
    largest = fitted.get("fetch.max.bytes", _number(user, "fetch.max.bytes", MESSAGE_MAX_BYTES))
    if largest < MESSAGE_MAX_BYTES and "message.max.bytes" not in user:
        fitted["message.max.bytes"] = max(1000, largest)
    if "fetch.wait.max.ms" in fitted:
        timeout = _number(user, "socket.timeout.ms", 60_000)
        fitted["fetch.wait.max.ms"] = min(fitted["fetch.wait.max.ms"], max(5, timeout - 1000))


def _number(user: Mapping[str, str], name: str, default: int) -> int:
    """A whole number that the user set; what is none is left to librdkafka, which refuses it by name."""
    value = user.get(name, "")
    return int(value) if value.isdecimal() else default


def producer_properties(kafka: Kafka) -> dict[str, Any]:
    """The dead-letter producer's configuration, without callbacks."""
    user = {name: value for name, value in kafka.properties.items() if name not in CONSUMER_ONLY}
    defaults = {
        "client.id": CLIENT_ID,
        "message.max.bytes": LARGEST_LETTER_BYTES,
        "linger.ms": 5,
        "compression.type": "lz4",
    }
    if not user.keys() & {"message.timeout.ms", "delivery.timeout.ms"}:
        linger = _number(user, "linger.ms", _number(user, "queue.buffering.max.ms", 0))
        defaults["delivery.timeout.ms"] = max(
            DELIVERY_TIMEOUT_MS, linger + DELIVERY_TIMEOUT_MS if linger else 0
        )
    own = {"bootstrap.servers": kafka.bootstrap_servers, "acks": "all", "enable.idempotence": True}
    return {**_yielding(defaults, user), **user, **own}


def admin_properties(kafka: Kafka) -> dict[str, Any]:
    """What an administrative client needs: only what both kinds of client know."""
    roles = CONSUMER_ONLY | PRODUCER_ONLY
    user = {name: value for name, value in kafka.properties.items() if name not in roles}
    return {"client.id": CLIENT_ID, **user, "bootstrap.servers": kafka.bootstrap_servers}


def is_kip848(properties: dict[str, str]) -> bool:
    """Whether the group protocol is the broker's own (KIP-848)."""
    return properties.get("group.protocol", "classic").lower() == "consumer"


def is_cooperative(properties: dict[str, Any]) -> bool:
    """Whether a rebalance takes away only what moves."""
    return is_kip848(properties) or properties["partition.assignment.strategy"] == "cooperative-sticky"


def client_logger() -> logging.Logger:
    """Where librdkafka's own lines go: addresses and states, never a record; repeated ones are kept back."""
    logger = logging.getLogger("worker.librdkafka")
    if not logger.filters:
        logger.addFilter(_KeepBack())
    return logger


class _KeepBack(logging.Filter):
    """Lets the first line of a kind through, and then one each few seconds: an outage repeats itself."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = LogRateLimiter()

    def filter(self, record: logging.LogRecord) -> bool:
        """The binding logs with librdkafka's facility (`FAIL`, `MAXPOLL`, ...) as its first argument."""
        facility = str(record.args[0]) if isinstance(record.args, tuple) and record.args else record.msg
        return self._quiet.count((facility,), 1) > 0
