"""The parts of a call that depend on the record alone, as Python source: key, time, and message ids by coordinates."""

from __future__ import annotations

from collections.abc import Sequence

from worker.core.message_id import PAIRS, MessageIds, Middles, beginning, ends
from worker.core.timestamps import LENGTH, SUFFIXES
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import Target
from worker.mapping.files.rules import Rule
from worker.mapping.future_times import BLOCK, FutureTimes
from worker.mapping.kafka_fields import record_time

_PARTS = ("id_time", "since", "behind", "partition")
"""Further locals that `message_id` and `message_id_by_name` read."""


class RecordCode:
    """Writes into a function that begins with `BEGINNING` and has a local `record`.

    Parts that stay equal over many records (the second of a time, the high bits of an id) are cached in locals. Whether
    a cached part still applies is tested by a small difference, which costs less than shifting and masking large ints.

    Args:
        code: the function under construction.
        ids: makes the message ids.
        topic: whose records they are.
        middles: the parts of ids that a topic's functions share; new ones if not given.
    """

    BEGINNING = (
        "partition = records[0].partition()",
        f"id_time_from = offset_from = second_from = latest_from = {1 << 63}",
    )
    """The run's partition, and empty caches: 2^63 is above every timestamp and offset, so no difference is in range."""

    def __init__(self, code: Code, ids: MessageIds, topic: str, middles: Middles | None = None) -> None:
        self._code = code
        self._ids = ids
        self._topic = topic
        self._middles = middles or Middles(ids, topic)

    def within(self, code: Code) -> RecordCode:
        """The same for a function that gets what `hand_over` names as parameters."""
        return RecordCode(code, self._ids, self._topic, self._middles)

    def hand_over(self, rules: Sequence[Rule], target: Target) -> dict[str, str]:
        """Write what these rules need of the record; returns the names, by what they hold."""
        self.parts_of_ids()
        kind, millis = self._kind_and_millis()
        names = {"kind of time": kind, "millis": millis, "record.offset()": self._offset()}
        names |= {"the parts of ids": "middles"} | {name: name for name in _PARTS}
        timed = ["timestamp" in call.fields for rule in rules for call in rule.calls]
        if not all(timed):
            names["the record's time"] = self.time()
        if target.future is not None and any(timed):
            names["the latest time"] = self.latest(target.future)
        return names

    def key(self) -> str:
        """A name for the key that orders the record's calls; see `records.OrderKey`."""
        key = self._code.name("key")
        self._code.line(f"{key} = record.key()")
        with self._code.block(f"if {key} is None:"):
            self._code.line(f"{key} = {self._code.recall('record.offset()') or 'record.offset()'}")
        return key

    def time(self) -> str:
        """A name for the record's time, as `record_time` returns it, which is called once per second of timestamps."""
        code = self._code
        known = code.recall("the record's time")
        if known is not None:
            return known
        time, (kind, millis) = code.name("time"), self._kind_and_millis()
        with code.block(f"if {kind} and {millis} >= 0:"):
            code.line(f"past = {millis} - second_from")
            with code.block("if past < 0 or past > 999:"):
                code.line(f"second = {code.constant(record_time)}(record)[:{LENGTH}]")
                code.line(f"second_from = {millis} - {millis} % 1000")
                code.line(f"past = {millis} - second_from")
            code.line(f"{time} = second + {code.constant(SUFFIXES, 'suffixes')}[past]")
        with code.block("else:"):
            code.line(f"{time} = None")
        code.remember("the record's time", time)
        return time

    def latest(self, times: FutureTimes) -> str:
        """A name for a time that no call of the record is limited below (`FutureTimes.bound`)."""
        code = self._code
        if code.recall("the latest time") is None:
            _, millis = self._kind_and_millis()
            code.line(f"ahead = {millis} - latest_from")
            with code.block(f"if ahead < 0 or ahead >= {BLOCK}:"):
                code.line(f"latest_from, latest = {code.constant(times.bound, 'bound')}(record)")
            code.remember("the latest time", "latest")
        return "latest"

    def message_id(self, type_: str, name: str, index: str) -> str:
        """A Python expression for the id of a call with this type, event name ("" if it has none) and index."""
        known = self._code.recall(_beginning_of_ids(type_, name))
        pairs = self._code.constant(PAIRS, "pairs")
        if known is not None:
            return f'f"{{{known}}}{{{pairs}[low | {index}]}}"'
        self.parts_of_ids()
        if index.isdigit():
            end = f"{{{self._code.constant(ends(int(index)), 'ends')}[behind]}}"
        else:  # all of `ends` for each of 256 indexes would take 60 MB
            end = f"{{{pairs}[behind >> 2]}}{{{pairs}[(behind & 3) << 8 | {index}]}}"
        return f'f"{self._beginning(type_, name)}{end}"'

    def beginning_of_ids(self, type_: str, name: str) -> None:
        """Write before a loop what the ids of its calls begin with."""
        self.parts_of_ids()
        pairs, local = self._code.constant(PAIRS, "pairs"), self._code.name("id")
        self._code.line("low = (behind & 3) << 8")
        self._code.line(f'{local} = f"{self._beginning(type_, name)}{{{pairs}[behind >> 2]}}"')
        self._code.remember(_beginning_of_ids(type_, name), local)

    def _beginning(self, type_: str, name: str) -> str:
        """The first 22 characters of an id, for an f-string."""
        pairs = self._code.constant(PAIRS, "pairs")
        return f"{{id_time}}{{{pairs}[since]}}{{middles[{self._middles.add(type_, name)}]}}"

    def message_id_by_name(self, type_: str, name: str, index: str) -> str:
        """As `message_id`, for an event name that is computed: `name` is a Python expression for it."""
        _, millis = self._kind_and_millis()
        place = f"{millis}, {self._topic!r}, partition, {self._offset()}"
        return f"{self._code.constant(self._ids, 'ids')}.for_record({place}, {type_!r}, {name}, {index})"

    def _kind_and_millis(self) -> tuple[str, str]:
        """The names of the record's timestamp."""
        code = self._code
        kind, millis = code.recall("kind of time"), code.recall("millis")
        if kind is None or millis is None:
            kind, millis = code.name("kind"), code.name("millis")
            code.line(f"{kind}, {millis} = record.timestamp()")
            code.remember("kind of time", kind)
            code.remember("millis", millis)
        return kind, millis

    def _offset(self) -> str:
        return self._code.share("record.offset()", "offset")

    def parts_of_ids(self) -> None:
        """Write once the update of the cached id parts (see `Middles`), and of the distances `since` and `behind`."""
        code = self._code
        if code.recall("the parts of ids") is not None:
            return
        (_, millis), offset = self._kind_and_millis(), self._offset()
        code.line(f"since = {millis} - id_time_from")
        with code.block("if since < 0 or since > 1023:"):
            code.line(f"positive = {millis} if {millis} > 0 else 0")
            code.line(f"id_time_from, id_time = positive & -1024, {code.constant(beginning)}(positive)")
            code.line("since = positive - id_time_from")
        code.line(f"behind = {offset} - offset_from")
        with code.block("if behind < 0 or behind > 4095:"):
            of = f"{code.constant(self._middles, 'middles')}.of(partition, {offset})"
            code.line(f"offset_from, middles = {offset} & -4096, {of}")
            code.line(f"behind = {offset} - offset_from")
        code.remember("the parts of ids", "middles")


def _beginning_of_ids(type_: str, name: str) -> str:
    return f"the beginning of ids of {type_} {name}"
