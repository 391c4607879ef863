"""The records that calls were made of, for the emulator's page."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson

from worker.adapters.dead_letter_topic.reader import BROKER_TIMEOUT_SECONDS, RECORDS_PER_STEP
from worker.adapters.kafka.reader import KafkaReader
from worker.core.message_id import MessageIds
from worker.core.record_reading import read_headers, record_millis
from worker.core.records import BODY, INDEX, RECORD, RULE, QueuedCall
from worker.core.timestamps import from_millis
from worker.mapping.trying.shown import value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.core.records import Converter, Record
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings

MAX_CALLS = 20_000
"""How many calls are remembered: twice as many as the emulator shows."""


class Sources:
    """Finds records by the messageIds of their calls: it maps the demo's records once more, when it is asked.

    Args:
        settings: where the records are.
        mappings: of the worker.
        topics: to read.
    """

    def __init__(self, settings: Settings, mappings: Mappings, topics: Sequence[str]) -> None:
        self._settings = settings
        self._mappings = mappings
        self._topics = topics
        self._ids: MessageIds | None = None
        self._converters: dict[str, Converter] = {}
        self._read: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._calls: OrderedDict[str, QueuedCall] = OrderedDict()
        self._lock = Lock()

    def find(self, message_id: str) -> dict[str, Any] | None:
        """The record of a call, see `SourceOf`. Raises `SourceFailed`."""
        with self._lock:
            if message_id not in self._calls:
                self._read_more()
            call = self._calls.get(message_id)
        return None if call is None else _shown(call, self._mappings)

    def _read_more(self) -> None:
        with closing(KafkaReader(self._settings)) as reader:
            self._ids = self._ids or MessageIds(reader.cluster_id())
            for topic in self._topics:
                self._remember(topic, self._new(reader, topic))

    def _new(self, reader: KafkaReader, topic: str) -> list[Record]:
        """The records of a topic that were not read before."""
        bounds = {
            number: (max(first, self._read[topic, number]), end)
            for number, (first, end) in reader.bounds(topic).items()
        }
        scan = reader.scan(topic, bounds, BROKER_TIMEOUT_SECONDS)
        records: list[Record] = []
        while scan.left:
            records += scan.take(RECORDS_PER_STEP).records
        self._read.update({(topic, number): end for number, (_, end) in bounds.items()})
        return records

    def _remember(self, topic: str, records: list[Record]) -> None:
        calls: list[QueuedCall] = []
        if convert := self._converter(topic):
            for record in records:  # one by one, because a run must be of one partition
                convert([record], calls, [])
        for call in calls:
            # Of an event that was produced twice the first record is the one whose call is shown.
            self._calls.setdefault(orjson.loads(call[BODY][:-1])["messageId"], call)
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)

    def _converter(self, topic: str) -> Converter | None:
        if topic not in self._converters:
            assert self._ids is not None, "it is known once a reader is open"
            converter = self._mappings.converter(topic, self._ids)
            if converter is None:
                return None
            self._converters[topic] = converter
        return self._converters[topic]


def _shown(call: QueuedCall, mappings: Mappings) -> dict[str, Any]:
    record, millis = call[RECORD], record_millis(call[RECORD])
    return {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": None if millis is None else from_millis(millis),
        "key": _text(record.key()),
        "headers": {name: _text(value) for name, value in read_headers(record)},
        "value": _text(value_text(mappings, record)[0]),
        "rule": call[RULE].rpartition("/")[2],
        "call": call[INDEX],
    }


def _text(value: bytes | str | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
