"""The configuration of each Kafka client: the worker's own properties, then the user's, then the worker's defaults.

Properties that the worker's guarantees depend on override the user's `kafka.properties`, which override the defaults
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.settings.connections import METADATA_REFRESH, METADATA_REFRESH_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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

HEARTBEAT_MS = 500
"""How often a member of a classic group asks whether the group rebalances.

A rebalance waits for each member's next heartbeat. Brokers answer one request of a connection after the other, so the
commits of members that have rejoined wait meanwhile; then they fail, because they name the previous generation. With
librdkafka's default of 3,000 ms, a worker with a backlog stopped for 3 s when another joined, because nothing of what
it had fetched could be committed (measured). With less than 500 ms it would not be shorter: librdkafka joins at most
once a second, and wakes for heartbeats twice a second.
"""

PREFETCH_SHARE = 8
"""An eighth of `memory.max_bytes` is for what librdkafka fetches ahead.

That memory comes on top of the limit, and pausing throws away what was fetched ahead, so the queue is small: with the
default of 64 MB it holds 8 MB, which is several fetches of 1,000 records.
"""

DELIVERY_TIMEOUT_MS = 30_000
"""How long the producer tries to write a dead letter before it reports why it failed. As long as a worker may take to
shut down by default (`delivery.shutdown_timeout`)."""

DEFAULT_MAX_POLL_INTERVAL_MS = 300_000
"""librdkafka's default of `max.poll.interval.ms`."""

LARGEST_DEAD_LETTER_BYTES = 100_000_000
"""The client's own limit must never refuse a dead letter: the topic's limit decides. librdkafka allows 1,000,000,000;
this is also its default of `receive.message.max.bytes`."""

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
"""Small fetches for the commands that read dead letters. Sizes are those of compressed data, and similar dead letters
grow tenfold when they are decompressed.

A larger record is still read: brokers always send at least one."""

ALIASES = {
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
    "message.timeout.ms": "delivery.timeout.ms",
    "queue.buffering.max.ms": "linger.ms",
    "compression.codec": "compression.type",
}
"""Two names of one property. A default under one name must not conflict with the user's value under the other."""


def consumer_properties(kafka: Kafka, memory: Memory) -> dict[str, Any]:
    """The consumer's configuration, without callbacks."""
    user = _user_properties(kafka, PRODUCER_ONLY)
    prefetch_kbytes = max(1024, memory.max_bytes // PREFETCH_SHARE // 1024)
    defaults = {
        "client.id": CLIENT_ID,
        # With a small queue, the default of 1,000 ms limits the worker to a quarter of its speed (measured).
        "fetch.queue.backoff.ms": 20,
        "queued.max.messages.kbytes": prefetch_kbytes,
        "queued.min.messages": 20_000,
        "fetch.max.bytes": prefetch_kbytes * 1024,
        # Bounds how late the client learns of an end, or of a new partition's first record, while nothing else comes.
        "fetch.wait.max.ms": 200,
        METADATA_REFRESH: METADATA_REFRESH_MS,
    }
    if not is_kip848(user):
        defaults["partition.assignment.strategy"] = "cooperative-sticky"
        defaults["heartbeat.interval.ms"] = HEARTBEAT_MS
    return {**_yielding(defaults, user), **user, **_own_of_consumers(kafka)}


def reader_properties(kafka: Kafka, memory: Memory) -> dict[str, Any]:
    """The configuration of a consumer that joins no group and stays small, without callbacks."""
    user = _user_properties(kafka, PRODUCER_ONLY)
    return {**consumer_properties(kafka, memory), **_yielding(READER_FETCH, user)}


def _user_properties(kafka: Kafka, of_others: Collection[str]) -> dict[str, Any]:
    """The user's properties for one kind of client, and what `kafka.auth` sets.

    Args:
        kafka: the settings.
        of_others: the properties that this kind of client does not know.
    """
    user: dict[str, Any] = {name: value for name, value in kafka.properties.items() if name not in of_others}
    if kafka.auth is None:
        return user
    auth = {"security.protocol": "SASL_SSL", **user, "sasl.mechanisms": "OAUTHBEARER"}
    return auth if kafka.token_callback is None else {**auth, "oauth_cb": kafka.token_callback}


def max_poll_interval(kafka: Kafka) -> float:
    """Seconds within which the group needs a member to poll again."""
    return int(kafka.properties.get("max.poll.interval.ms", DEFAULT_MAX_POLL_INTERVAL_MS)) / 1000


def _own_of_consumers(kafka: Kafka) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": kafka.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        # An out-of-range position is reported as an event, and never skipped silently.
        "auto.offset.reset": "error",
    }


def _yielding(defaults: Mapping[str, Any], user: Mapping[str, Any]) -> dict[str, Any]:
    """The worker's defaults for what the user has not set, changed where they conflict with the user's values.

    librdkafka refuses some combinations of values. If two of the user's values conflict, it reports that.
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


def _fit_fetches(fitted: dict[str, Any], user: Mapping[str, Any]) -> None:
    most = _number(user, "receive.message.max.bytes", LARGEST_DEAD_LETTER_BYTES) - FETCH_OVERHEAD_BYTES
    if "fetch.max.bytes" in fitted:
        least = _number(user, "message.max.bytes", 0)
        fitted["fetch.max.bytes"] = max(least, min(most, fitted["fetch.max.bytes"]))
    largest = fitted.get("fetch.max.bytes", _number(user, "fetch.max.bytes", MESSAGE_MAX_BYTES))
    if largest < MESSAGE_MAX_BYTES and "message.max.bytes" not in user:
        fitted["message.max.bytes"] = max(1000, largest)
    if "fetch.wait.max.ms" in fitted:
        timeout = _number(user, "socket.timeout.ms", 60_000)
        fitted["fetch.wait.max.ms"] = min(fitted["fetch.wait.max.ms"], max(5, timeout - 1000))


def _number(user: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number that the user set; librdkafka refuses anything else, and names the property."""
    value = user.get(name, "")
    return int(value) if value.isdecimal() else default


def producer_properties(kafka: Kafka) -> dict[str, Any]:
    """The dead-letter producer's configuration, without callbacks."""
    user = _user_properties(kafka, CONSUMER_ONLY)
    defaults = {
        "client.id": CLIENT_ID,
        "message.max.bytes": LARGEST_DEAD_LETTER_BYTES,
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
    """The configuration of an administrative client: only properties that consumers and producers share."""
    user = _user_properties(kafka, CONSUMER_ONLY | PRODUCER_ONLY)
    return {"client.id": CLIENT_ID, **user, "bootstrap.servers": kafka.bootstrap_servers}


def is_kip848(properties: dict[str, str]) -> bool:
    """Whether the group protocol is the broker's own (KIP-848)."""
    return properties.get("group.protocol", "classic").lower() == "consumer"


def is_cooperative(properties: dict[str, Any]) -> bool:
    """Whether a rebalance revokes only the partitions that move."""
    return is_kip848(properties) or properties["partition.assignment.strategy"] == "cooperative-sticky"


def leaves_group(properties: dict[str, Any]) -> bool:
    """Whether a member leaves its group when it ends. A static member of a classic group stays one until it is back."""
    return is_kip848(properties) or not properties.get("group.instance.id")
