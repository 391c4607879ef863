"""The demo's summary, for a reader who sees the worker for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.demo.events import ExpectedOutcome, Sample


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected totals of the samples.

    Attributes:
        records: number of records by outcome.
        calls: that Customer.io should have stored at the end; an event that was produced twice counts once.
        repeated: calls with the messageId of an earlier call.
        same_bytes: whether these are the same bytes as the earlier ones.
    """

    records: dict[ExpectedOutcome, int]
    calls: int
    repeated: int
    same_bytes: bool = True

    @staticmethod
    def of(samples: Sequence[Sample], *, same_bytes: bool = True) -> Expected:
        """Count the samples."""
        return Expected(
            records={
                outcome: sum(sample.outcome is outcome for sample in samples) for outcome in ExpectedOutcome
            },
            calls=sum(sample.calls - sample.repeated for sample in samples),
            repeated=sum(sample.repeated for sample in samples),
            same_bytes=same_bytes,
        )


@dataclass(slots=True)
class Observed:
    """The actual totals from three independent sources: the worker, the emulator and the dead-letter topic.

    Attributes:
        totals: `totals` of the worker's `/status.json`.
        dead_letter_records: records in the dead-letter topic.
        seconds: from the first record to the last.
        emulator: the emulator's `/admin/summary`.
        places: TOPIC:PARTITION:OFFSET of a record of each topic.
    """

    totals: dict[str, Any]
    dead_letter_records: int
    seconds: float
    emulator: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    @property
    def consumed(self) -> int:
        """Records that the worker read from Kafka."""
        return int(self.totals["consumed"])

    @property
    def ignored(self) -> int:
        """Records that the mapping ignores."""
        return int(self.totals["ignored"])

    @property
    def dead_lettered(self) -> int:
        """Records that the worker counted as dead letters."""
        return sum(self.totals["dead_letters"].values())

    @property
    def delivered(self) -> int:
        """Records whose calls were all delivered."""
        return self.consumed - self.ignored - self.dead_lettered


def differences(expected: Expected, observed: Observed) -> list[str]:
    """The totals that differ from the expected ones, as sentences; empty if none does."""
    calls = observed.emulator["calls"]
    pairs = [
        ("records delivered", expected.records[ExpectedOutcome.DELIVERED], observed.delivered),
        ("records ignored", expected.records[ExpectedOutcome.IGNORED], observed.ignored),
        ("records dead-lettered", expected.records[ExpectedOutcome.DEAD_LETTERED], observed.dead_lettered),
        (
            "records in the dead-letter topic",
            expected.records[ExpectedOutcome.DEAD_LETTERED],
            observed.dead_letter_records,
        ),
        ("calls stored by the emulator", expected.calls, calls["taken"]),
        (
            "duplicates with different bytes",
            0,
            calls["duplicates_different"] if expected.same_bytes else 0,
        ),
        ("calls dropped or refused", 0, calls["dropped"] + calls["refused"]),
    ]
    return [f"{what}: {actual:,} instead of {wanted:,}" for what, wanted, actual in pairs if wanted != actual]


def tables(expected: Expected, observed: Observed) -> RenderableType:
    """The summary: the outcomes of the records, the requests and calls, and whether all totals are as expected."""
    wrong = differences(expected, observed)
    verdict = (
        Text(
            "All totals are as expected: no record was lost, and every retry reused its messageId.",
            style="bold green",
        )
        if not wrong
        else Text("\n".join(["These totals are not as expected:", *wrong]), style="bold red")
    )
    return Group("", _records(observed), "", _calls(expected, observed), "", verdict)


def _records(observed: Observed) -> Table:
    table = _table("Records by outcome")
    table.add_row("delivered", f"{observed.delivered:,}", f"as {observed.totals['delivered']:,} calls")
    table.add_row("ignored", f"{observed.ignored:,}", "the mapping does not send them")
    reasons = sorted(observed.totals["dead_letters"].items(), key=lambda item: -item[1])
    by_reason = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
    table.add_row("dead-lettered", f"{observed.dead_lettered:,}", by_reason)
    table.add_row("total consumed", f"{observed.consumed:,}", f"in {observed.seconds:.1f} s", style="bold")
    return table


def _calls(expected: Expected, observed: Observed) -> Table:
    requests, calls = observed.emulator["requests"], observed.emulator["calls"]
    resent = calls["duplicates"] - expected.repeated
    table = _table("Requests and calls received by the emulator")
    table.add_row("requests", f"{requests['total']:,}", f"the largest had {requests['largest_body']:,} bytes")
    failures = requests["total"] - requests["by_status"].get("200", 0)
    if failures:
        table.add_row("injected failures", f"{failures:,}", "503, 429 and lost responses; all retried")
    table.add_row("calls stored", f"{calls['taken']:,}", f"for {calls['people']:,} people and companies")
    table.add_row("duplicates recognised", f"{calls['duplicates']:,}", _repeats(expected.repeated, resent))
    return table


def _repeats(repeated: int, resent: int) -> str:
    return f"{repeated:,} produced twice, {resent:,} retried after a lost response: same id, same bytes"


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False
    )
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    return table
