"""Reasons as labels of metrics: a bounded number of upper-case codes."""

from __future__ import annotations

import re

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_MAX_REASONS = 200
"""Distinct reasons used as labels; the rest is `OTHER`. Mappers choose their own codes, and each is a time series."""


class ReasonLabels:
    """The reasons that were used as labels so far."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()

    def of(self, reason: str) -> str:
        """The reason as a label: an upper-case code, one of at most `_MAX_REASONS`."""
        if reason not in self._reasons:
            if len(self._reasons) >= _MAX_REASONS or not _REASON.fullmatch(reason):
                return "OTHER"
            self._reasons.add(reason)
        return reason
