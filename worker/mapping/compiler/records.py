"""The parts of a call that depend on the record alone, as Python source: key, time, and message ids by coordinates."""

from __future__ import annotations

from collections.abc import Sequence

from worker.core.message_id import PAIRS, Middles, beginning, ends
from worker.core.reasons import Rejected
from worker.core.timestamps import LENGTH, SUFFIXES
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import LATEST_TIME, Options, Target
from worker.mapping.files.rules import Rule
from worker.mapping.kafka_fields import record_time

_PARTS_OF_IDS = ("partition", "millis", "offset", "id_time", "since", "middles", "named", "behind")
"""The locals that message ids are made of."""

_TIME_IF_VALID = "time, or _INVALID"

_INVALID = object()
"""In place of a time that cannot be sent. Not its rejection: that refers to the frame that holds it, and so to the run,
which would be kept until the garbage collector finds the cycle."""


class RecordCode:
    """Writes into a function that begins with `BEGINNING` and has a local `record`.

    Each part is a local, written where it is first needed. Parts that stay equal over many records (the second of a
    time, the high bits of an id) are kept from one record to the next. Whether such a part still applies is tested by a
    small difference, which costs less than shifting and masking large ints.

    Args:
        code: the function.
        options: what its calls are for.
        calls: the calls whose ids a topic's functions make from the same `Middles`; none yet if not given.
    """

    BEGINNING = f"""
        partition = records[0].partition()
        block = offset_from = second_from = {1 << 63}
        """
    """The run's partition, and no parts kept: timestamps and offsets are below 2^63, so no difference is in range."""

    def __init__(self, code: Code, options: Options, calls: list[tuple[str, str]] | None = None) -> None:
        self._code = code
        self._options = options
        self._calls = [] if calls is None else calls

    def within(self, code: Code, parts: Sequence[str]) -> RecordCode:
        """The same for a function that gets these locals as parameters."""
        for part in parts:
            code.remember(_TIME_IF_VALID if part == "time" else part, part)
        return RecordCode(code, self._options, self._calls)

    def parts_for(self, rules: Sequence[Rule]) -> list[str]:
        """Write all that these rules need of the record; returns the locals."""
        self.parts_of_ids()
        parts = ["kind", *_PARTS_OF_IDS]
        timed = ["timestamp" in call.fields for rule in rules for call in rule.calls]
        if not all(timed):
            parts.append("time")
            self._time_if_valid()
        if self._options.future and (any(timed) or any(rule.mapper for rule in rules)):
            parts.append(self.latest())
        return parts

    def parts_for_mapper(self) -> list[str]:
        """Write all that the calls of a Python mapper need of the record; returns the locals."""
        self.parts_of_ids()
        return [*_PARTS_OF_IDS, *([self.latest()] if self._options.future else ())]

    def key(self) -> str:
        """The local for the key that orders the record's calls; see `records.OrderKey`."""
        if self._code.needs("key"):
            self._code.line("key = record.key()")
            with self._code.block("if key is None:"):
                self._code.line(f"key = {self._code.recall('offset') or 'record.offset()'}")
        return "key"

    def time(self) -> str:
        """The local for what `record_time` returns, which is called once per second of timestamps."""
        self._timestamp()
        if self._code.needs("time"):
            if self._code.recall(_TIME_IF_VALID):
                with self._code.block(f"if time is {self._code.constant(_INVALID, 'invalid')}:"):
                    self._code.line(f"{self._code.constant(record_time)}(record)")  # which raises why
                return "time"
            self._code.lines(f"""
                if kind and millis >= 0:
                    past = millis - second_from
                    if past < 0 or past > 999:
                        second = {self._code.constant(record_time)}(record)[:{LENGTH}]
                        second_from = millis - millis % 1000
                        past = millis - second_from
                    time = second + {self._code.constant(SUFFIXES, "suffixes")}[past]
                else:
                    time = None
                """)
        return "time"

    def _time_if_valid(self) -> None:
        """Write `time` for functions that may need it: an invalid one rejects the record only if they do."""
        with self._code.block("try:"):
            self.time()
        with self._code.block(f"except {self._code.constant(Rejected)}:"):
            self._code.line(f"time = {self._code.constant(_INVALID, 'invalid')}")

    def latest(self) -> str:
        """The local for a time that no call of the record is limited below (`FutureTimes.bound`)."""
        self._block()
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
        if (type_, name) not in self._calls:
            self._calls.append((type_, name))
        return f"{{id_time}}{{{pairs}[since]}}{{middles[{self._calls.index((type_, name))}]}}"

    def message_id_by_name(self, type_: str, name: str, index: str) -> str:
        """As `message_id`, for a type and event name that are computed: Python expressions without double quotes."""
        self.parts_of_ids()
        pairs = self._code.constant(PAIRS, "pairs")
        end = f"{{{pairs}[behind >> 2]}}{{{pairs}[(behind & 3) << 8 | {index}]}}"
        return f'f"{{id_time}}{{{pairs}[since]}}{{named[{type_}, {name}]}}{end}"'

    def parts_of_ids(self) -> None:
        """Write the update of the kept id parts (see `Middles`), and of the distances `since` and `behind`."""
        self._block()
        self._offset()
        if self._code.needs("middles"):
            middles = self._code.own(self._middles, "middles")
            self._code.lines(f"""
                behind = offset - offset_from
                if behind < 0 or behind > 4095:
                    offset_from, middles, named = offset & -4096, *{middles}.of(partition, offset)
                    behind = offset - offset_from
                """)

    def _middles(self, target: Target) -> Middles:
        return Middles(target.ids, target.topic, self._calls)

    def _block(self) -> None:
        """Write the update of what is equal for timestamps of one block of 1024 ms: `id_time` and `latest`."""
        self._timestamp()
        if self._code.needs("since"):
            limit = ""
            if self._options.future:
                limit = f"latest = {self._code.own(LATEST_TIME, 'bound')}(record)[1]"
            self._code.lines(f"""
                since = millis - block
                if since < 0 or since > 1023:
                    positive = millis if millis > 0 else 0
                    block, id_time = positive & -1024, {self._code.constant(beginning)}(positive)
                    since = positive - block
                    {limit}
                """)

    def _timestamp(self) -> None:
        if self._code.needs("millis"):
            self._code.line("kind, millis = record.timestamp()")

    def _offset(self) -> None:
        if self._code.needs("offset"):
            self._code.line("offset = record.offset()")


def _beginning_of_ids(type_: str, name: str) -> str:
    return f"the beginning of ids of {type_} {name}"
