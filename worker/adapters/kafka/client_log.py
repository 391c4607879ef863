"""librdkafka's own lines, as lines of the worker's log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from worker.telemetry.logs import LogRateLimiter

CONFIGURATION_WARNING = "CONFWARN"
"""The facility of librdkafka's warnings about a client's properties."""

_THREAD = "[thrd:"


OnLine = Callable[[str, str], None]
"""Called with the facility and the text of each line, when the client is polled."""


def client_logger(on_line: OnLine | None = None) -> logging.Logger:
    """A logger for librdkafka's lines: addresses and states, never a record. Repeated lines are rate-limited."""
    shared = logging.getLogger("worker.librdkafka")
    if not shared.filters:
        shared.addFilter(_ClientLines())
    return shared if on_line is None else _observed(shared, on_line)


def _observed(shared: logging.Logger, on_line: OnLine) -> logging.Logger:
    """A logger of one client's own, so that `on_line` sees the lines of that client, also those that repeat."""

    def observe(record: logging.LogRecord) -> bool:
        on_line(*facility_and_text(record))
        return True

    def is_logged(record: logging.LogRecord) -> bool:
        return shared.isEnabledFor(record.levelno)

    own = logging.Logger(shared.name, logging.DEBUG)  # noqa: LOG001 - lives as long as its client
    own.parent = shared
    own.filters = [observe, is_logged, *shared.filters]  # a parent's filters do not see its children's lines
    return own


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
