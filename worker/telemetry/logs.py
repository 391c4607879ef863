"""The format of the worker's log: one JSON object a line, or text on a terminal.

A line has an event (a verb in the past tense), a sentence, and fields. Of an exception only the type and place are
logged: its text may quote a record.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from worker.core.faults import dotted_type_name, places
from worker.core.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.settings import TelemetrySettings

logger = logging.getLogger("worker")
logger.addHandler(logging.NullHandler())  # until `configure_logging`, Python would print warnings as they are

MAX_TEXT_CHARS = 1000
"""The length at which messages of libraries are cut: log collectors split or drop long lines."""

REPEAT_SECONDS = 10.0
"""A repeating message is logged once, and then as a count at most this often."""

MAX_KINDS = 500
"""The number of kinds of message that are counted separately: texts from brokers may vary without limit."""

_COLORS = {"DEBUG": "2", "INFO": "36", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}


def log(level: int, event: str, message: str, /, **fields: object) -> None:
    """Log one thing that happened.

    Args:
        level: of `logging`.
        event: a verb in the past tense to filter by, such as `delivery_held`.
        message: a sentence for people.
        fields: the facts of the sentence, for programs; a field that is None is left out.
    """
    logger.log(level, message, extra={"event": event, "fields": fields})


def log_exception(event: str, message: str, error: BaseException, /) -> None:
    """Log an unexpected exception: its type and place."""
    logger.error(message, exc_info=error, extra={"event": event})


def configure_logging(settings: TelemetrySettings, stream: TextIO, process: int | None = None) -> None:
    """Send everything that is logged to `stream`, in the format and from the level that the settings say.

    The level is for the worker's own lines; libraries log from `warning` on. A second call replaces the first.

    Args:
        settings: format and level.
        stream: to write to.
        process: the number of this process, a field of each line; None for the only one.
    """
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and stream.isatty())
    handler = _Lines(stream)
    if process is not None:
        handler.addFilter(_with_process(process))
    handler.setFormatter(TextFormatter(colored=stream.isatty()) if as_text else JsonFormatter())
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each, _Lines)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    logger.setLevel(settings.log_level.upper())


class _Lines(logging.StreamHandler[TextIO]):
    """The worker's handler. A closed pipe stops the log, never the worker."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides logging's own name
        pass


def _with_process(number: int) -> Callable[[logging.LogRecord], bool]:
    def add(record: logging.LogRecord) -> bool:
        record.fields = {"process": number, **getattr(record, "fields", {})}
        return True

    return add


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `event`, `message`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the line."""
        line = {
            "time": _when(record),
            "level": record.levelname.lower(),
            "event": _event(record),
            "message": _message(record),
            **_fields(record),
        }
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Text for a terminal: time, level, sentence, then the fields as `name=value`."""

    def __init__(self, *, colored: bool = False) -> None:
        super().__init__()
        self._colored = colored

    def format(self, record: logging.LogRecord) -> str:
        """Write the line; an exception's frames follow on lines of their own."""
        fields = _fields(record)
        stack: list[str] = fields.pop("stack", [])
        level = f"{record.levelname:<7}"
        if self._colored:
            level = f"\x1b[{_COLORS.get(record.levelname, '0')}m{level}\x1b[0m"
        words = [_when(record)[11:23], level, printable(_message(record))]
        words += [f"{name}={printable(_plain(value))}" for name, value in fields.items()]
        return "\n    ".join([" ".join(words), *stack])


class LogRateLimiter:
    """Lets the first message of a kind through at once, and later ones as a count at most every `REPEAT_SECONDS`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, ...], tuple[float, int]] = {}

    def count(self, kind: tuple[str, ...], n: int) -> int:
        """Count `n` more of a kind; returns how many to log now, or 0 to log nothing."""
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
            kind = (kind[0], "other")
        now = self._clock()
        logged_at, pending = self._kinds.get(kind, (-REPEAT_SECONDS, 0))
        pending += n
        if kind in self._kinds and now - logged_at < REPEAT_SECONDS:
            self._kinds[kind] = logged_at, pending
            return 0
        self._kinds[kind] = now, 0
        return pending

    def overdue(self, *, everything: bool = False) -> Iterator[tuple[tuple[str, ...], int]]:
        """The kinds with counts that are due (or all), which count as logged then."""
        now = self._clock()
        for kind, (logged_at, pending) in list(self._kinds.items()):
            if pending and (everything or now - logged_at >= REPEAT_SECONDS):
                self._kinds[kind] = now, 0
                yield kind, pending


def _event(record: logging.LogRecord) -> str:
    return str(getattr(record, "event", "library_logged"))


def _when(record: logging.LogRecord) -> str:
    """RFC 3339 in UTC with milliseconds."""
    when = datetime.fromtimestamp(record.created, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    return record.getMessage()[:MAX_TEXT_CHARS]


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: value for name, value in getattr(record, "fields", {}).items() if value is not None}
    if not hasattr(record, "event"):
        fields["logger"] = record.name
    if record.exc_info and record.exc_info[1] is not None:
        fields |= _exception(record.exc_info[1])
    return fields


def _exception(error: BaseException) -> dict[str, Any]:
    """The type of an exception and where it was raised, without its text."""
    return {"exception": dotted_type_name(error), "stack": places(error)}


def _plain(value: object) -> str:
    if isinstance(value, str) and value and " " not in value:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
