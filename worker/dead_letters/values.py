"""The values that dead letters have, for the warning about a filter that selects nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.core.near_matches import did_you_mean
from worker.dead_letters.headers import clamped_seconds

if TYPE_CHECKING:
    from worker.dead_letters.dead_letter import DeadLetter
    from worker.dead_letters.selection import Filters, Window

MAX_VALUES = 1000
"""Values that are kept of each kind: mappers define reasons of their own, and headers are untrusted."""

MAX_SHOWN = 20
"""Values of each kind that are named in a warning, the most frequent first."""


class Values:
    """Counts the reasons, stages and topics of dead letters, and the times of their failures."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in ("reason", "stage", "topic")}
        self._first: float | None = None
        self._last = 0.0

    def count(self, letter: DeadLetter) -> None:
        """Count a dead letter that could be selected."""
        for counter, value in zip(
            self._counts.values(), (letter.reason, letter.stage, letter.topic), strict=True
        ):
            if value in counter or len(counter) < MAX_VALUES:
                counter[value] += 1
        at = letter.failed_at
        self._first = at if self._first is None else min(self._first, at)
        self._last = max(self._last, at)

    def warnings(self, filters: Filters, selected: int) -> Iterator[str]:
        """A sentence for each value of a filter that no dead letter has, and for filters that select nothing together.

        Args:
            filters: the filters that were used.
            selected: how many dead letters they selected.
        """
        if self._first is None:
            yield "there are no dead letters to select from"
            return
        misses = list(self._misses(filters))
        yield from misses
        if filters.windows and not selected and not misses:
            yield f"no dead letter that the other filters select failed in that time; {self._span()}"
        elif not selected and not misses:
            yield f"no dead letter has all of these together; {'; '.join(map(self._known, self._counts))}"

    def _misses(self, filters: Filters) -> Iterator[str]:
        wanted = {"reason": filters.reasons, "stage": filters.stages, "topic": filters.topics}
        for name, values in wanted.items():
            for value in sorted(values - self._counts[name].keys()):
                hint = did_you_mean(value, self._counts[name])
                yield f"--{name} {value} selects nothing{f' ({hint})' if hint else ''}; {self._known(name)}"
        assert self._first is not None
        outside = [each for each in filters.windows if not self._touches(each)]
        if outside and len(outside) == len(filters.windows):
            yield f"no dead letter failed in that time; {self._span()}"

    def _touches(self, window: Window) -> bool:
        assert self._first is not None
        return (window.since is None or window.since <= self._last) and (
            window.until is None or window.until > self._first
        )

    def _known(self, name: str) -> str:
        counter = self._counts[name]
        shown = ", ".join(f"{value} ({n:,})" for value, n in counter.most_common(MAX_SHOWN))
        more = f" and {len(counter) - MAX_SHOWN:,} more" if len(counter) > MAX_SHOWN else ""
        return f"{name}s of the dead letters: {shown}{more}"

    def _span(self) -> str:
        return f"they failed from {moment(self._first or 0.0)} to {moment(self._last)}"


def moment(seconds: float) -> str:
    """Epoch seconds as RFC 3339, clamped to the years 1970 to 9999."""
    found = datetime.fromtimestamp(clamped_seconds(seconds), UTC)
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")
