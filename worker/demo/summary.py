"""What the demo found, in words for someone who sees the worker for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.demo.events import Fate, Sample


@dataclass(frozen=True, slots=True)
class Expected:
    """What the samples were made to become under the example configuration.

    Attributes:
        records: how many, by their fate.
        calls: that Customer.io should have at the end: an event that was produced twice counts once.
        repeated: calls that bear a messageId which was sent before.
    """

    records: dict[Fate, int]
    calls: int
    repeated: int

    @staticmethod
    def of(samples: Sequence[Sample]) -> Expected:
        """Count the samples."""
        return Expected(
            records={fate: sum(sample.fate is fate for sample in samples) for fate in Fate},
            calls=sum(sample.calls for sample in samples if not sample.repeats),
            repeated=sum(sample.calls for sample in samples if sample.repeats),
        )


@dataclass(slots=True)
class Found:
    """What happened, from three witnesses: the worker's totals, the emulator, the dead-letter topic.

    Attributes:
        totals: `totals` of the worker's `/status.json`.
        letters: records in the dead-letter topic.
        seconds: from the first record to the last.
        emulator: the emulator's `/admin/summary`.
    """

    totals: dict[str, Any]
    letters: int
    seconds: float
    emulator: dict[str, Any] = field(default_factory=dict)

    @property
    def consumed(self) -> int:
        """Records that the worker took from Kafka."""
        return int(self.totals["consumed"])

    @property
    def ignored(self) -> int:
        """Records that are not for Customer.io."""
        return int(self.totals["ignored"])

    @property
    def dead_lettered(self) -> int:
        """Records that the worker put into the dead-letter topic."""
        return sum(self.totals["dead_letters"].values())

    @property
    def delivered(self) -> int:
        """Records of which every call was delivered."""
        return self.consumed - self.ignored - self.dead_lettered


def differences(expected: Expected, found: Found) -> list[str]:
    """Everything that is not as it should be; empty if all is."""
    calls = found.emulator["calls"]
    pairs = [
        ("records delivered", expected.records[Fate.DELIVERED], found.delivered),
        ("records ignored", expected.records[Fate.IGNORED], found.ignored),
        ("records dead-lettered", expected.records[Fate.DEAD_LETTERED], found.dead_lettered),
        ("records in the dead-letter topic", expected.records[Fate.DEAD_LETTERED], found.letters),
        ("calls at Customer.io's stand-in", expected.calls, calls["taken"]),
        ("calls that came again with other bytes", 0, calls["duplicates_different"]),
        ("calls that were dropped or refused", 0, calls["dropped"] + calls["refused"]),
    ]
    return [f"{what}: {there:,} instead of {wanted:,}" for what, wanted, there in pairs if wanted != there]


def tables(expected: Expected, found: Found) -> RenderableType:
    """The summary: what became of the records, how the calls travelled, whether it adds up."""
    wrong = differences(expected, found)
    verdict = (
        Text("Everything adds up: no record was lost, none was delivered under two ids.", style="bold green")
        if not wrong
        else Text("\n".join(["This does not add up:", *wrong]), style="bold red")
    )
    return Group("", _records(found), "", _calls(expected, found), "", verdict)


def _records(found: Found) -> Table:
    table = _table("What became of the records")
    table.add_row("delivered", f"{found.delivered:,}", f"as {found.totals['delivered']:,} calls")
    table.add_row("ignored", f"{found.ignored:,}", "the mapping says: not for Customer.io")
    reasons = sorted(found.totals["dead_letters"].items(), key=lambda item: -item[1])
    why = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
    table.add_row("dead-lettered", f"{found.dead_lettered:,}", why)
    table.add_row("together: consumed", f"{found.consumed:,}", f"in {found.seconds:.1f} s", style="bold")
    return table


def _calls(expected: Expected, found: Found) -> Table:
    requests, calls = found.emulator["requests"], found.emulator["calls"]
    resent = calls["duplicates"] - expected.repeated
    table = _table("What the stand-in for Customer.io saw")
    table.add_row("requests", f"{requests['total']:,}", f"the largest had {requests['largest_body']:,} bytes")
    troubles = requests["total"] - requests["by_status"].get("200", 0)
    table.add_row(
        "of these in trouble", f"{troubles:,}", "on purpose: 503, 429, answers that got lost; all sent again"
    )
    table.add_row("calls stored", f"{calls['taken']:,}", f"of {calls['people']:,} people and companies")
    table.add_row("recognised as repeated", f"{calls['duplicates']:,}", _repeats(expected.repeated, resent))
    return table


def _repeats(repeated: int, resent: int) -> str:
    return f"{repeated:,} produced twice, {resent:,} sent again after a lost answer: same id, same bytes"


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False
    )
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    return table
