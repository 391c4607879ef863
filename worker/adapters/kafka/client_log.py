"""librdkafka's own lines, as lines of the worker's log."""

from __future__ import annotations

import logging

from worker.telemetry.logs import LogRateLimiter

CONFIGURATION_WARNING = "CONFWARN"
"""The facility of librdkafka's warnings about a client's properties."""

_THREAD = "[thrd:"


def client_logger() -> logging.Logger:
    """The logger for librdkafka's lines: addresses and states, never a record. Repeated lines are rate-limited.

    Where nothing else configures logging, as in commands that print their own errors, it discards them: Python would
    print them to standard error as they are.
    """
    logger = logging.getLogger("worker.librdkafka")
    if not logger.filters:
        logger.addFilter(_ClientLines())
        logger.addHandler(logging.NullHandler())
    return logger


def facility_and_text(record: logging.LogRecord) -> tuple[str, str]:
    """The facility (`FAIL`, `MAXPOLL`, ...) and the text of a line of librdkafka.

    The binding logs three arguments: the facility, the client's name, and the text, which begins with a thread's name.
    """
    if not isinstance(record.args, tuple) or len(record.args) != 3:
        return "", record.getMessage()
    facility, _, text = record.args
    return str(facility), str(text).partition("]: ")[2] if str(text).startswith(_THREAD) else str(text)


class _ClientLines(logging.Filter):
    """Makes each line an event of the worker's log. Passes the first of a kind, then one every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._limiter = LogRateLimiter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the line into the worker's form, unless it repeats another."""
        facility, text = facility_and_text(record)
        kind = (facility, text) if facility == CONFIGURATION_WARNING else (facility,)
        record.msg, record.args = text, ()
        record.event, record.fields = "kafka_client_logged", {"facility": facility}
        return self._limiter.count(kind, 1) > 0
