"""A row of the page, and what all rows have at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TypeVar

from benchmarks.events import KEYS, Event, orders, small
from benchmarks.stage import Measured, Settings, Tls, floor, measure, sink, worker
from benchmarks.topics import PARTITIONS, fill_topic

Topic = tuple[str, int]
"""A topic's name, and how many events it holds."""

Runs = Sequence[Measured]
"""Of one program, a run in each round."""

Ran = TypeVar("Ran")

UNITS = {"cpu": "{:.2f} / {:.2f} µs", "rate": "{:,.0f} / {:,.0f} a second"}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        what: was measured.
        figure: came of it.
        target: or the bound beside which it stands; empty if it stands for itself.
        met: whether the target is; None if there is none.
    """

    what: str
    figure: str
    target: str = ""
    met: bool | None = None


def spread(values: Iterable[float]) -> str:
    """Median, least and most."""
    ordered = sorted(values)
    return f"{median(ordered):.2f} ({ordered[0]:.2f}-{ordered[-1]:.2f})"


def middle(runs: Runs, of: str) -> float:
    """The median of a figure of `Measured`."""
    found: float = median(getattr(each, of) for each in runs)
    return found


def absolute(what: str, runs: Runs) -> Row:
    """What a program costs on this machine: not a result, but what the ratios are made of."""
    return Row(
        what,
        f"{spread(each.cpu for each in runs)} µs, {middle(runs, 'rate'):,.0f} a second, "
        f"{middle(runs, 'rss'):.0f} MiB, fill {middle(runs, 'fill'):.2f}",
    )


def ratio(  # noqa: PLR0913 - each is a part of the row
    what: str, ours: Runs, theirs: Runs, of: str = "cpu", target: float = 0.0, *, each: float = 0.0
) -> Row:
    """A figure of `Measured` against the same of other runs, round by round.

    Args:
        what: is compared.
        ours: the numerator.
        theirs: the denominator.
        of: the figure.
        target: of the median: at most this for CPU, at least this for rates; 0 for none.
        each: what the CPU ratio of no single round may exceed; 0 for none.
    """
    ratios = [getattr(one, of) / getattr(other, of) for one, other in zip(ours, theirs, strict=True)]
    figure = f"{spread(ratios)}; {UNITS[of].format(middle(ours, of), middle(theirs, of))}"
    if not target:
        return Row(what, figure)
    if of == "cpu":
        goal = f"≤ {target:.2f}, each ≤ {each:.2f}" if each else f"≤ {target:.2f}"
        return Row(what, figure, goal, median(ratios) <= target and (not each or max(ratios) <= each))
    return Row(what, figure, f"≥ {target:.2f}", median(ratios) >= target)


@dataclass(slots=True)
class Bench:
    """A Kafka, and how much load a run may put on the machine.

    Attributes:
        quick: less load, the same rows.
        events: of a usual run.
        rounds: of a comparison.
        keys: numbers of keys of the scenario `keys`.
        partitions: numbers of partitions of the scenario `keys`.
    """

    servers: str
    quick: bool
    events: int = 0
    rounds: int = 0
    keys: Sequence[int] = (500, 5_000, 50_000, 1_000_000)
    partitions: Sequence[int] = (1, 4, 48)

    def __post_init__(self) -> None:
        self.events = self.events or (400_000 if self.quick else 600_000)
        self.rounds = self.rounds or (2 if self.quick else 5)

    def topic(
        self, kind: str, events: int, make: Callable[[int], Iterable[Event]], partitions: int = PARTITIONS
    ) -> Topic:
        """A topic with so many events of a kind, filled unless the Kafka has it from an earlier run.

        Its name tells what it holds: change `kind` if `make` makes other events.
        """
        name = f"{kind}-{events}-events-{partitions}"
        fill_topic(self.servers, name, events, make, partitions)
        return name, events

    def usual(self, *, keys: int = KEYS, partitions: int = PARTITIONS, times: int = 1) -> Topic:
        """The topic of usual orders."""
        return self.topic(f"orders-{keys}-keys", self.events * times, partial(orders, keys=keys), partitions)

    def small(self) -> Topic:
        """The topic of many small orders."""
        return self.topic("small", self.events * 2, small)

    def in_turn(self, *ways: Callable[[], Ran]) -> list[list[Ran]]:
        """Each way's runs: all ways in turn in each round, forwards and backwards, for no way is always the first."""
        runs: list[list[Ran]] = [[] for _ in ways]
        for number in range(self.rounds):
            for way, ran in list(zip(ways, runs, strict=True))[:: -1 if number % 2 else 1]:
                ran.append(way())
        return runs

    def floor(self, topic: Topic) -> Measured:
        """The floor, one run, against a sink of its own."""
        name, events = topic
        with sink() as into, floor(self.servers, name, into.url, events) as process:
            return measure([process], into, events)

    def run(
        self,
        topic: Topic,
        *mappings: str,
        latency: float = 0.0,
        calls_of_event: int = 1,
        settings: Settings | None = None,
        tls: Tls | None = None,
    ) -> Measured:
        """One worker, one run, against a sink of its own."""
        name, events = topic
        with (
            sink(latency, tls=tls) as into,
            worker(
                self.servers,
                name,
                into.url,
                *mappings,
                settings=settings,
                trust=tls.authority if tls else None,
            ) as running,
        ):
            return measure([running.process], into, events * calls_of_event)
