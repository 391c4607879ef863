"""A row of the page, and what all rows have at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.events import Event, orders
from benchmarks.stage import PARTITIONS, Measured, Settings, create_topics, measure, produce, sink, worker


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


@dataclass(slots=True)
class Bench:
    """A Kafka, and how much load a run may put on the machine.

    Attributes:
        quick: a rehearsal: less load, the same rows.
        events: of a usual run.
        rounds: of a comparison.
    """

    servers: str
    quick: bool
    events: int = field(init=False)
    rounds: int = field(init=False)
    _topics: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.events, self.rounds = (120_000, 2) if self.quick else (400_000, 5)

    def topic(self, name: str, events: Iterable[Event] = (), partitions: int = PARTITIONS) -> tuple[str, int]:
        """A topic with these events, made and filled when it is first asked for; its name, and how many events."""
        if name not in self._topics:
            create_topics(self.servers, name, partitions=partitions)
            self._topics[name] = produce(self.servers, name, events)
        return name, self._topics[name]

    def usual(self) -> tuple[str, int]:
        """The topic of usual orders."""
        return self.topic("orders", orders(self.events))

    def run(
        self,
        topic: tuple[str, int],
        *mappings: str,
        latency: float = 0.0,
        calls_of_event: int = 1,
        settings: Settings | None = None,
    ) -> Measured:
        """One worker, one run, against a sink of its own."""
        name, events = topic
        with (
            sink(latency) as into,
            worker(self.servers, name, into.url, *mappings, settings=settings) as running,
        ):
            return measure([running.process], into, events * calls_of_event)
