"""The log lines of calls that may not have the effect that was meant: one for each rule and kind."""

from __future__ import annotations

import logging

from worker.customerio.notices import MEANINGS, Notice
from worker.telemetry.logs import log


class NoticeLog:
    """Logs each kind of notice once for each rule, so its memory is bounded by the rules."""

    def __init__(self) -> None:
        self._logged: set[tuple[Notice, str]] = set()

    def once(self, kind: Notice, rule: str) -> None:
        """Log that a call of this rule (`file:line`) was noticed, if that is new. Quotes nothing of the call."""
        if (kind, rule) not in self._logged:
            self._logged.add((kind, rule))
            log(logging.WARNING, "calls_noticed", MEANINGS[kind], kind=str(kind), rule=rule)
