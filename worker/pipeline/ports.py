"""The pipeline's interfaces to the outside: a source of records, a destination for calls, a store for dead letters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from worker.core.records import Partition, Record
from worker.dead_letters.failed_record import FailedRecord
from worker.formats.schemas import NoSchema, Schema, SchemaId


@dataclass(slots=True)
class Fetched:
    """The result of one fetch.

    Attributes:
        records: in Kafka's order within each partition.
        positions: partitions whose position advanced to this next offset without a record: the end was reached past
            transaction markers or compacted records.
    """

    records: list[Record] = field(default_factory=list)
    positions: dict[Partition, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """Where an assigned partition begins.

    Attributes:
        offset: the first offset that will be fetched.
        committed: what the group has committed there; None if nothing yet.
        end: the read_committed end when the partition was assigned.
    """

    offset: int
    committed: int | None
    end: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a source knows of its group, for a rate limit that the group shares.

    Attributes:
        partitions: all partitions of the subscribed topics; the same object while they are the same. None if they were
            never counted.
        age: seconds since the brokers were asked for them.
        owned_for: seconds in which no other member can own this one's partitions.
    """

    partitions: frozenset[Partition] | None
    age: float
    owned_for: float


class Assignments(Protocol):
    """Receives changes of a source's partitions. Called on the event loop, never while records are being accepted."""

    def assigned(self, starts: Mapping[Partition, Start]) -> None:
        """This member owns these partitions now; their records come with the next fetch. May be empty."""

    async def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Another member is about to get these: wait for requests in flight, and return the offsets to commit."""
        ...

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Another member owns these already: drop them, commit nothing."""


class Source(Protocol):
    """A source of records.

    `fetch` must be called continually, even with `limit` 0: a member that does not poll loses its partitions.
    """

    @property
    def is_complete(self) -> bool:
        """Whether all partitions that may be this member's are being read.

        False while the topic of one is missing or forbidden, or while the group may not have noticed that the member
        that this one replaces has ended.
        """
        ...

    @property
    def session_timeout(self) -> float:
        """Seconds without contact after which another member may own the partitions; final once `open` returns."""
        ...

    async def open(self, assignments: Assignments) -> None:
        """Subscribe. Raises `SourceFailed` if that can never work."""

    async def fetch(self, limit: int) -> Fetched:
        """Return at most `limit` records as soon as there are any, or nothing after a short wait.

        Never cancelled: records that were fetched and not accepted would be skipped by the next commit. With `limit` 0
        nothing is fetched; after a second of that the partitions are paused, and the next positive limit resumes them.
        """
        ...

    async def commit(self, offsets: Mapping[Partition, int]) -> Collection[Partition]:
        """Commit these offsets: everything below them is finished. Raises `CommitFailed`.

        Returns:
            Partitions whose commit Kafka refuses while it accepts the others: their topic is deleted or forbidden.
        """
        ...

    async def confirm(self) -> None:
        """Ask Kafka to confirm that this member still owns its partitions. Raises `CommitFailed` if it does not."""

    def standing(self) -> Standing:
        """What is known of the group now. Asks no broker."""
        ...

    async def close(self) -> None:
        """Leave the group."""


class SourceFailed(Exception):  # noqa: N818 - says what happened
    """The source can never work with this configuration: a missing topic, missing permissions."""


class CommitFailed(Exception):  # noqa: N818 - says what happened
    """The commit failed; a later one will include these offsets."""


@dataclass(frozen=True, slots=True)
class Response:
    """The API's response, or that there was none.

    Attributes:
        status: the HTTP status; 0 if there was no complete response (refused, reset, truncated, timed out).
        json: whether the body is empty or JSON: a 2xx with anything else did not come from the API.
        errors: the API's error messages (`meta.errors`), with payload values redacted.
        retry_after: seconds to wait according to `Retry-After`, at most 300.
        failure: why there was no response: `timeout`, `connection`, ...
    """

    status: int
    json: bool = True
    errors: tuple[str, ...] = ()
    retry_after: float | None = None
    failure: str | None = None


class SchemaRegistry(Protocol):
    """Where the schemas of records are."""

    async def fetch(self, id_: SchemaId) -> Schema | NoSchema:
        """The schema with an id, with all that it refers to, or the registry's final answer that there is none.

        Raises:
            SchemaUnavailable: there is no such answer now.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""


class SchemaUnavailable(Exception):  # noqa: N818 - says what happened
    """The registry does not answer, or refuses the login: the records that need it wait.

    Attributes:
        unauthorized: whether it refuses the login.
    """

    def __init__(self, detail: str, *, unauthorized: bool = False) -> None:
        super().__init__(detail)
        self.unauthorized = unauthorized


class Destination(Protocol):
    """Sends calls to the API."""

    async def send(self, body: bytes, records: Sequence[Record], calls: int) -> Response:
        """POST one batch. Network errors are returned as a `Response`.

        Args:
            body: the complete request body, as `Batch.body` builds it.
            records: the first record of each chunk, for trace links.
            calls: the number of calls in the body, for metrics.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""


class DeadLetters(Protocol):
    """Stores records that can never be delivered.

    The pipeline only writes. `dlq` and the replay read the dead-letter topic themselves, with the rest of
    `worker/adapters/dead_letter_topic/`, and refer to dead letters by partition and offset.
    """

    async def write(self, failed: Sequence[FailedRecord]) -> list[str | None]:
        """Write and wait for the broker's acknowledgement.

        Returns an entry for each record: None if all in-sync replicas have acknowledged its dead letter, else why not.
        """
        ...

    async def close(self) -> None:
        """Flush and close."""
