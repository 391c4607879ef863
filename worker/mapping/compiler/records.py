"""What is the record's own as Python source: its key, its time, the message ids by where it lies."""

from __future__ import annotations

from worker.core.message_id import PAIRS, MessageIds, Middles, beginning, ends
from worker.core.timestamps import LENGTH, SUFFIXES
from worker.mapping.compiler.source import Code
from worker.mapping.kafka_fields import record_time


class RecordCode:
    """Writes into a function that begins with `BEGINNING` and has, where it is asked for something, a `record`.

    What changes once in many records is kept in locals of the function, and looked at with small differences: they are
    cheaper than shifts and masks of large numbers.

    Args:
        code: the function under construction.
        ids: makes the message ids.
        topic: whose records they are.
    """

    BEGINNING = (
        "partition = records[0].partition()",
        f"id_time_from = offset_from = second_from = {1 << 63}",
    )
    """Where the run lies; and no parts of ids and times are known yet: all is far below."""

    def __init__(self, code: Code, ids: MessageIds, topic: str) -> None:
        self._code = code
        self._ids = ids
        self._topic = topic
        self._middles = Middles(ids, topic)

    def key(self) -> str:
        """A name for what the order of the record's calls hangs on; see `model.OrderKey`."""
        key = self._code.name("key")
        self._code.line(f"{key} = record.key()")
        with self._code.block(f"if {key} is None:"):
            self._code.line(f"{key} = {self._code.recall('record.offset()') or 'record.offset()'}")
        return key

    def time(self) -> str:
        """A name for what `record_time` answers; it is called only for the first record of a second."""
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

    def message_id(self, type_: str, name: str, index: int) -> str:
        """A Python expression for the id of a call with this type, event name ("" if it has none) and index."""
        self._parts_of_ids()
        pairs, last = self._code.constant(PAIRS, "pairs"), self._code.constant(ends(index), "ends")
        middle = f"middles[{self._middles.add(type_, name)}]"
        return f'f"{{id_time}}{{{pairs}[since]}}{{{middle}}}{{{last}[behind]}}"'

    def message_id_by_name(self, type_: str, name: str, index: int) -> str:
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

    def _parts_of_ids(self) -> None:
        """Bring up to date what ids of many records have in common, see `Middles`, and where the record is in it."""
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
