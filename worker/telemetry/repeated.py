"""The log lines of what happens often: rate-limited, with a count."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from worker.telemetry.logs import log

_REPEATED: Mapping[str, tuple[int, str]] = {
    "request_retried": (logging.WARNING, "requests are being retried"),
    "dead_letters_written": (logging.WARNING, "records became dead letters"),
    "dead_letters_failed": (logging.ERROR, "dead letters could not be written; nothing commits past them"),
    "commit_failed": (logging.WARNING, "a commit failed; a newer one follows"),
    "source_failed": (logging.WARNING, "the Kafka client reported an error"),
    "schema_registry_failed": (logging.WARNING, "a schema could not be fetched; what needs it waits"),
    "mapper_was_slow": (logging.WARNING, "a Python mapper is slow and blocks the worker"),
}


def log_repeated(event: str, reason: str, n: int) -> None:
    """Log that something happened `n` times since it was logged last."""
    level, message = _REPEATED[event]
    log(level, event, message, reason=reason, count=n)
