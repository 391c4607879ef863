"""librdkafka's error codes that several modules look at, under names that do not start with an underscore."""

from __future__ import annotations

from confluent_kafka import KafkaError

PARTITION_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - the client's public name for its own code
TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001 - the same
UNSUPPORTED_FEATURE = KafkaError._UNSUPPORTED_FEATURE  # noqa: SLF001 - the same

OUT_OF_RANGE = frozenset([
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - the same
])  # fmt: skip
"""The position is not in the log: the second is what `auto.offset.reset=error` makes of the first."""
