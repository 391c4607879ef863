"""The terminal states of a Kafka client: once in one, it does nothing more and must be replaced.

librdkafka has one function that puts a client into such a state, `rd_kafka_set_fatal_error()` (and its wrapper for
idempotent producers). These are all of its callers in librdkafka 2.16, with what the worker does:

| client | error | raised by | then |
| --- | --- | --- | --- |
| consumer | FENCED_INSTANCE_ID | JoinGroup, SyncGroup, Heartbeat: another has the `group.instance.id` | new client |
| consumer | any permanent error | OffsetCommit | new client |
| consumer | UNRELEASED_INSTANCE_ID | ConsumerGroupHeartbeat: another has the `group.instance.id` | new client |
| consumer | GROUP_MAX_SIZE_REACHED | ConsumerGroupHeartbeat: the group is full | new client |
| consumer | GROUP_AUTHORIZATION_FAILED | ConsumerGroupHeartbeat: no right to the group yet | new client |
| consumer | GROUP_ID_NOT_FOUND | ConsumerGroupHeartbeat: the group was deleted | new client |
| consumer | any other permanent broker error | ConsumerGroupHeartbeat | new client |
| consumer | UNSUPPORTED_ASSIGNOR | ConsumerGroupHeartbeat: no such `group.remote.assignor` | exit 1 |
| consumer | UNSUPPORTED_VERSION, _UNSUPPORTED_FEATURE | ConsumerGroupHeartbeat: brokers without KIP-848 | exit 1 |
| consumer | INVALID_REQUEST, INVALID_REGULAR_EXPRESSION | ConsumerGroupHeartbeat | exit 1 |
| producer | OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID | Produce: the broker lost count | new client |
| producer | _INCONSISTENT | a batch cannot be rebuilt for its retry | new client |
| producer | _FENCED | InitProducerId: INVALID_PRODUCER_EPOCH, PRODUCER_FENCED | new client |
| producer | CLUSTER_AUTHORIZATION_FAILED | InitProducerId: no right to write, which may be granted | new client |
| producer | _UNSUPPORTED_FEATURE | InitProducerId: brokers older than 0.11 | exit 1 |
| producer | _GAPLESS_GUARANTEE | Produce, only with `enable.gapless.guarantee` | new client |
| producer | INVALID_TRANSACTION_TIMEOUT, TRANSACTIONAL_ID_* | transactions: not used | new client |

Source: `git grep set_fatal_error` in librdkafka's `src/rdkafka_cgrp.c`, `rdkafka_request.c`, `rdkafka_idempotence.c`,
`rdkafka_msgset_writer.c` and `rdkafka_txnmgr.c`. Share groups are left out: the worker is never a member of one.

An error that is not in this table is treated as one that a new client may heal: the delays between attempts grow, so
a permanent cause costs little, and `/readyz` names it. All other errors of JoinGroup, SyncGroup and Heartbeat are
retried by the client itself.
"""

from __future__ import annotations

from confluent_kafka import KafkaError

from worker.core.backoff import Backoff

CANNOT_HEAL = frozenset(
    [
        KafkaError.UNSUPPORTED_ASSIGNOR,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - the client's public name for its own code
        KafkaError.INVALID_REQUEST,
        KafkaError.INVALID_REGULAR_EXPRESSION,
    ]
)
"""Errors that a new client with the same configuration would run into again."""

FIRST_DELAY_SECONDS = 1.0
"""The delay before the first replacement: a member that was fenced by its own restart gets in again after this."""

LONGEST_DELAY_SECONDS = 60.0
"""Two members with the same `group.instance.id` fence each other in turn: each at most once in this time."""

WELL_AFTER_SECONDS = 600.0
"""After a client has worked for this long, delays start over: ten times the longest delay."""

_FATAL = KafkaError._FATAL  # noqa: SLF001 - the same
_PREFIX = "Fatal error: "


def renewal_backoff() -> Backoff:
    """The delays before a client in a terminal state is replaced."""
    return Backoff(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, WELL_AFTER_SECONDS)


def is_fatal(error: KafkaError) -> bool:
    """Whether the client that reported this is in a terminal state.

    `KafkaError.fatal()` alone is not enough: a consumer's fatal error comes as a message with the code `_FATAL`, whose
    `fatal()` is false.
    """
    return bool(error.fatal()) or error.code() == _FATAL


def can_heal(error: KafkaError) -> bool:
    """Whether a new client may work where this one failed."""
    return not any(error.code() == code or _is(error, code) for code in CANNOT_HEAL)


def describe(error: KafkaError) -> str:
    """The client's message for a fatal error, without its prefix that says so."""
    return error.str().removeprefix(_PREFIX)


def _is(error: KafkaError, code: int) -> bool:
    """Whether a consumer's `_FATAL` was caused by this code.

    The binding does not expose the cause's code, but the text begins with librdkafka's description of it.
    """
    return error.code() == _FATAL and error.str().startswith(f"{_PREFIX}{KafkaError(code).str()}:")
