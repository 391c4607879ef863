"""What happened in a world, as seen from outside the workers: the facts that the judge looks at.

All times are epoch seconds of one machine's clock, the brokers' included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.campaign.events import Event
from tests.support.kafka_client import Headers
from worker.core.records import Partition

CONTINUE_SECONDS = 0.5
"""A disruption by a stop lasts so long after the process was continued."""

SECRET = "s3cret"
"""Every API key begins so; the rest says which start of which member it is of."""


class Sent(NamedTuple):
    """A call in a request. Its event's number, and its place among the calls of the event, are read from the call."""

    message_id: str
    number: int
    position: int
    raw: bytes
    shared: str = ""
    """The call's batch context and integrations, to be compared."""

    @property
    def name(self) -> tuple[int, int]:
        """Which call it is."""
        return self.number, self.position


@dataclass(slots=True, eq=False)
class Request:
    """A request as the API saw it.

    Attributes:
        run: which start of which member sent it.
        arrived, ended: when its last byte had come, and when the response was given.
        size: bytes of its body.
        status: of the response; 0: none was given, or it was lost.
        abandoned: the sender was gone before the response.
        errors: what the API's rules found wrong with it.
    """

    number: int
    run: str
    arrived: float
    size: int
    calls: list[Sent]
    ended: float = float("inf")
    status: int = 0
    abandoned: bool = False
    errors: list[str] = field(default_factory=list)

    @property
    def is_answered(self) -> bool:
        """Whether its sender was told that the calls were accepted."""
        return 200 <= self.status <= 299 and not self.abandoned

    @property
    def refuses(self) -> Sent | None:
        """The call that was refused alone, so that its record is a dead letter."""
        return self.calls[0] if self.status in {400, 413, 422} and len(self.calls) == 1 else None


class Acceptance(NamedTuple):
    """The API took a call."""

    at: float
    request: Request
    call: Sent


class Source(NamedTuple):
    """A record as it lies in a source topic."""

    partition: Partition
    offset: int
    millis: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    event: Event


class DeadLetter(NamedTuple):
    """A record on the dead-letter topic."""

    place: str
    at: float
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def header(self, name: str) -> str | None:
        """The last header of a name, as text."""
        value = dict(self.headers).get(name)
        return value.decode() if isinstance(value, bytes) else value


class Commit(NamedTuple):
    """An offset as the group's coordinator stored it."""

    at: float
    partition: Partition
    offset: int


class Disruption(NamedTuple):
    """Something after which calls may be sent again: a kill, a stop, a restart of the broker, a lost partition."""

    at: float
    until: float
    what: str
    run: str = ""


class Move(NamedTuple):
    """Partitions that a member got, or gave up in an orderly rebalance, after its last commit of them."""

    at: float
    partitions: frozenset[Partition]


class Exit(NamedTuple):
    """How a member ended that was asked to.

    Attributes:
        seconds: from the signal on.
        at_once: whether it was asked twice.
    """

    run: str
    code: int
    seconds: float
    at_once: bool = False


@dataclass(slots=True)
class History:
    """Everything that is known of a world that has come to rest."""

    events: list[Event] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    accepted: list[Acceptance] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    ends: dict[Partition, int] = field(default_factory=dict)
    committed: dict[Partition, int] = field(default_factory=dict)
    disruptions: list[Disruption] = field(default_factory=list)
    assigned: list[Move] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    happened: set[str] = field(default_factory=set)
    dead_letter_partitions: int = 1
    not_ready: list[str] = field(default_factory=list)

    def disrupted(self, first: float, last: float) -> bool:
        """Whether something happened between two times, or within a second before, that has calls sent again."""
        return any(each.at <= last and each.until >= first - 1 for each in self.disruptions)
