"""Reads the dead-letter topic: what waits in it, in order, up to the ends that it had at the beginning.

Two scans: the first finds what is resolved or superseded (`dead_letters.index` says what that costs), the second
gives what is left. Neither joins a group, and nothing is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.adapters.kafka.reader import KafkaReader
from worker.dead_letters.dead_letter import DeadLetter, read_dead_letter
from worker.dead_letters.index import Index, State

if TYPE_CHECKING:
    from worker.adapters.kafka.scan import Bounds, KafkaScan
    from worker.core.records import Partition, Record
    from worker.settings import Settings

CHUNK = 1000
"""Records of one step."""

PATIENCE_SECONDS = 20.0
"""How long a look into the topic waits for brokers that do not answer."""

Tell = Callable[[int, int], None]
"""Told how many offsets lie behind, and of how many."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first scan found.

    Attributes:
        bounds: what was scanned, and the bounds of every further scan.
        index: which letters wait.
    """

    bounds: Bounds
    index: Index


class DeadLetterReader:
    """A look into the dead-letter topic. Made by `open_dead_letters`.

    Args:
        reader: a consumer outside of any group.
        topic: the dead-letter topic.
    """

    def __init__(self, reader: KafkaReader, topic: str) -> None:
        self._reader = reader
        self.topic = topic
        self.cluster_id = reader.cluster_id()

    def survey(self, tell: Tell, *, only: int | None = None, since: int = 0) -> Survey:
        """Scan once, to find what is waiting. Raises `SourceFailed`.

        Args:
            tell: told of the progress.
            only: look at this partition alone.
            since: look at offsets from here on alone.
        """
        bounds = {
            number: (max(first, since), max(end, since))
            for number, (first, end) in self._reader.bounds(self.topic).items()
            if only in {None, number}
        }
        index = Index(bounds)
        for record in self._records(bounds, tell):
            index.note(record)
        index.finish()
        return Survey(bounds, index)

    def waiting(self, survey: Survey, tell: Tell) -> Iterator[DeadLetter]:
        """Scan again: every letter that waits. Raises `SourceFailed`."""
        for record in self._records(survey.bounds, tell):
            if survey.index.state(record.partition(), record.offset()) is State.WAITING:
                letter = read_dead_letter(record, self.cluster_id)
                if letter is not None:
                    yield letter

    def records(self, survey: Survey, tell: Tell) -> Iterator[Record]:
        """Scan again: every record. Raises `SourceFailed`."""
        return self._records(survey.bounds, tell)

    def scan(self, survey: Survey, patience: float) -> KafkaScan:
        """Scan again, step by step."""
        return self._reader.scan(self.topic, survey.bounds, patience)

    def letter(self, partition: int, offset: int) -> DeadLetter | None:
        """The letter at a place; None if there is none. Raises `SourceFailed`."""
        first, end = self._reader.bounds(self.topic).get(partition, (0, 0))
        if not first <= offset < end:
            return None
        record = self._reader.record((self.topic, partition), offset)
        return None if record is None else read_dead_letter(record, self.cluster_id)

    def newest_of(self, record: tuple[Partition, int], tell: Tell) -> DeadLetter | None:
        """The newest letter of the record that lay at a place; scans everything. Raises `SourceFailed`."""
        (topic, number), offset = record
        newest = None
        for each in self._records(self._reader.bounds(self.topic), tell):
            letter = read_dead_letter(each, self.cluster_id)
            if letter is not None and letter.topic == topic and letter.origin is not None:
                origin = letter.origin
                if (origin.partition(), origin.offset()) == (number, offset):
                    newest = letter
        return newest

    def _records(self, bounds: Bounds, tell: Tell) -> Iterator[Record]:
        scan = self._reader.scan(self.topic, bounds, PATIENCE_SECONDS)
        while scan.left:
            yield from scan.take(CHUNK).records
            tell(scan.scanned, scan.total)


@contextmanager
def open_dead_letters(settings: Settings) -> Iterator[DeadLetterReader]:
    """A look into the dead-letter topic that the settings name. Raises `SourceFailed`."""
    with closing(KafkaReader(settings)) as reader:
        yield DeadLetterReader(reader, settings.kafka.dead_letter_topic)
