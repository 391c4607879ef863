"""Reads the waiting dead letters from the topic, in order, up to the end offsets at the time of the first scan.

This takes two scans: the first finds which dead letters wait (see `dead_letters.index` for its memory), the second
returns them. Neither joins a consumer group or commits offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.adapters.kafka.reader import KafkaReader
from worker.dead_letters.dead_letter import DeadLetter, read_dead_letter
from worker.dead_letters.index import History, Index, State
from worker.dead_letters.resolutions import Resolutions

if TYPE_CHECKING:
    from worker.adapters.kafka.scan import Bounds, KafkaScan
    from worker.core.records import Partition, Record
    from worker.settings import Settings

RECORDS_PER_STEP = 1000
"""Records read between two updates of the progress bar."""

BROKER_TIMEOUT_SECONDS = 20.0
"""How long a scan waits for brokers that do not respond: a user is waiting at a terminal."""

SOURCE_RECORDS = 1_000_000
"""Offsets of a source partition that are read for later records of the same keys: some ten seconds of work. The newest
ones are read, because any later record counts."""

OnProgress = Callable[[int, int], None]
"""Called with the number of offsets that are done and their total."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of the first scan.

    Attributes:
        bounds: the offsets that were scanned; later scans read the same ones.
        index: the state of each dead letter.
        resolutions: who resolved each of them; None if it was not asked for.
    """

    bounds: Bounds
    index: Index
    resolutions: Resolutions | None = None


class DeadLetterReader:
    """Scans the dead-letter topic. Created by `open_dead_letters`.

    Args:
        reader: a consumer that joins no group.
        topic: the dead-letter topic.
    """

    def __init__(self, reader: KafkaReader, topic: str) -> None:
        self._reader = reader
        self.topic = topic
        self.cluster_id = reader.cluster_id()

    def survey(self, on_progress: OnProgress, *, who: bool = False) -> Survey:
        """Scan the topic for the state of each dead letter, and for who resolved it if asked. Raises `SourceFailed`."""
        bounds = self._reader.bounds(self.topic)
        index, resolutions = Index(bounds), Resolutions(bounds) if who else None
        for record in self._records(bounds, on_progress):
            mark = index.add(record)
            if mark is not None and resolutions is not None:
                resolutions.add(mark)
        index.finish()
        return Survey(bounds, index, resolutions)

    def history(self, letter: DeadLetter, on_progress: OnProgress) -> History:
        """What became of a dead letter. Raises `SourceFailed`."""
        found, place, origin = History(letter), letter.place, letter.origin
        bounds = self._reader.bounds(self.topic)
        if origin is None or origin.partition() == place.partition:
            # Then all later dead letters and marks of its record are behind it in the same partition.
            end = bounds[place.partition][1]
            bounds = {place.partition: (min(place.offset, end), end)}
        for record in self._records(bounds, on_progress):
            found.add(record)
        return found

    def newest(self, survey: Survey, state: State, on_progress: OnProgress) -> Iterator[DeadLetter]:
        """Scan again for the dead letters in a state: waiting or resolved. Raises `SourceFailed`."""
        for record in self._records(survey.bounds, on_progress):
            if survey.index.state(record.partition(), record.offset()) is state:
                letter = read_dead_letter(record, self.cluster_id)
                if letter is not None:
                    yield letter

    def records(self, survey: Survey, on_progress: OnProgress) -> Iterator[Record]:
        """Scan again for all records. Raises `SourceFailed`."""
        return self._records(survey.bounds, on_progress)

    def scan(self, survey: Survey, timeout: float) -> KafkaScan:
        """Begin another scan, to be continued step by step; it fails after `timeout` seconds without a broker."""
        return self._reader.scan(self.topic, survey.bounds, timeout)

    def look_at_source(
        self, topic: str, firsts: Mapping[int, int], saw: Callable[[Record], None], on_progress: OnProgress
    ) -> bool:
        """Read a source topic up to its current ends; raises `SourceFailed`.

        Args:
            topic: the source topic.
            firsts: for each partition the offset to begin at.
            saw: called with each record.
            on_progress: called with the progress.

        Returns:
            False if a partition has more than `SOURCE_RECORDS` offsets from there on: only its newest ones were read.
        """
        existing = self._reader.bounds(topic)
        wanted = {
            number: (max(first, existing[number][0]), existing[number][1])
            for number, first in firsts.items()
            if number in existing
        }
        bounds = {
            number: (max(first, end - SOURCE_RECORDS), max(first, end))
            for number, (first, end) in wanted.items()
        }
        scan = self._reader.scan(topic, bounds, BROKER_TIMEOUT_SECONDS)
        while scan.left:
            for record in scan.take(RECORDS_PER_STEP).records:
                saw(record)
            on_progress(scan.scanned, scan.total)
        return all(bounds[number][0] == first for number, (first, _) in wanted.items())

    def find(self, partition: Partition, offset: int, on_progress: OnProgress) -> DeadLetter | None:
        """The dead letter at a position, or the newest dead letter of the source record at a position.

        The second scans the whole topic. Raises `SourceFailed`.
        """
        if partition[0] == self.topic:
            return self._letter(partition[1], offset)
        return self._newest_of(partition, offset, on_progress)

    def _letter(self, partition: int, offset: int) -> DeadLetter | None:
        first, end = self._reader.bounds(self.topic).get(partition, (0, 0))
        if not first <= offset < end:
            return None
        record = self._reader.record((self.topic, partition), offset)
        return None if record is None else read_dead_letter(record, self.cluster_id)

    def _newest_of(self, partition: Partition, offset: int, on_progress: OnProgress) -> DeadLetter | None:
        newest = None
        for each in self._records(self._reader.bounds(self.topic), on_progress):
            letter = read_dead_letter(each, self.cluster_id)
            origin = None if letter is None else letter.origin
            if (
                letter is not None
                and origin is not None
                and (origin.topic(), origin.partition(), origin.offset()) == (*partition, offset)
                and (newest is None or letter.place.is_newer_than(newest.place))
            ):
                newest = letter
        return newest

    def newest_where(
        self, wanted: Callable[[Partition, int], bool], on_progress: OnProgress
    ) -> dict[tuple[Partition, int], tuple[DeadLetter, State]]:
        """The newest dead letter, with its state, of each wanted source record, in one scan. Raises `SourceFailed`.

        Args:
            wanted: called with the partition and offset of source records.
            on_progress: called with the progress.
        """
        bounds = self._reader.bounds(self.topic)
        index = Index(bounds)
        newest: dict[tuple[Partition, int], DeadLetter] = {}
        for record in self._records(bounds, on_progress):
            index.add(record)
            letter = read_dead_letter(record, self.cluster_id)
            if letter is None or (origin := letter.origin) is None:
                continue
            place = (origin.topic(), origin.partition()), origin.offset()
            if wanted(*place) and (place not in newest or letter.place.is_newer_than(newest[place].place)):
                newest[place] = letter
        index.finish()
        return {
            place: (letter, index.state(letter.record.partition(), letter.record.offset()))
            for place, letter in newest.items()
        }

    def _records(self, bounds: Bounds, on_progress: OnProgress) -> Iterator[Record]:
        scan = self._reader.scan(self.topic, bounds, BROKER_TIMEOUT_SECONDS)
        while scan.left:
            yield from scan.take(RECORDS_PER_STEP).records
            on_progress(scan.scanned, scan.total)


@contextmanager
def open_dead_letters(settings: Settings) -> Iterator[DeadLetterReader]:
    """A reader of the dead-letter topic in the settings. Raises `SourceFailed`."""
    with closing(KafkaReader(settings)) as reader:
        yield DeadLetterReader(reader, settings.kafka.dead_letter_topic)
