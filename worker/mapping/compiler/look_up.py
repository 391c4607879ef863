"""Many rules that compare one value with different texts, as one look-up in a dictionary.

A thousand rules that ask for `type` would be a thousand comparisons for the last of them, and one function too large to
compile in reasonable time and memory. Instead each of these rules is a function of its own:

    first, handle, following = rules.get(type_1, none) if type(type_1) is str else none
    if first < 1000:
        done = None
        while done is None and first < 1000:
            done = handle(record, event, calls, rejected, ...)
            first, handle, following = following
        if done is not None:
            ignored += done
            continue

The loop is there for rules that ask for more (`type == 'order.paid' && vip`): their functions return None where that
does not hold, and the next rule for the text follows. Rules with other conditions stay where they are: a rule that was
found applies only after those before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from worker.mapping.compiler.objects import EVENT
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.rule import Compiled, RuleCode
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import Target
from worker.mapping.compiler.write import write
from worker.mapping.expressions import ir
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.rules import Rule

LEAST_RULES = 16
"""With fewer rules, comparisons cost less than a look-up and a call."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The condition of a rule that can be looked up: a value is one of some texts, and perhaps more.

    Attributes:
        when: the condition.
        value: the value that is compared.
        texts: the rule matches only if the value is one of these.
        rest: what else must hold; None for nothing.
    """

    when: Expression
    value: ir.Node
    texts: frozenset[str]
    rest: ir.Node | None


Entry = tuple[int, Callable[..., int | None] | None, "Entry | None"]
"""A rule's position, its function, and the next rule for its text. The last has no function, and a position beyond."""


class LookUp:
    """Writes the rules that are looked up.

    Args:
        of: what is compiled.
        place: what tracebacks name as the file.
        asked: see below.

    Attributes:
        asked: the conditions of the rules, by their positions; all compare the same value.
    """

    def __init__(self, of: Compiled, place: str, asked: dict[int, Asked]) -> None:
        self.asked = asked
        self._first = min(asked)
        self._of = of
        self._place = place
        self._none: Entry = (len(of.file.rules), None, None)
        self._handlers: dict[int, tuple[Code, str]] = {}
        self._factories: dict[int, Callable[[Target], Callable[..., int | None]]] = {}

    @classmethod
    def of(cls, compiled: Compiled, place: str) -> LookUp | None:
        """Find the rules; None if there are too few."""
        groups: dict[str, dict[int, Asked]] = defaultdict(dict)
        for index, rule in enumerate(compiled.file.rules):
            asked = _asked(rule)
            if asked is not None:
                groups[repr(asked.value)][index] = asked
        largest = max(groups.values(), key=len, default={})
        return cls(compiled, place, largest) if len(largest) >= LEAST_RULES else None

    def write(self, index: int, code: Code, rules: RuleCode, record: RecordCode) -> None:
        """Write what stands in place of the rule in the converter; one statement for neighbours."""
        if index == self._first:
            self._write_look_up(index, code, rules)
        if index + 1 not in self.asked:
            # Inside, since reading the record's parts may reject it: a record that no rule asks for is ignored.
            with code.block(f"if first < {index + 1}:"):
                call = self._write_call(index, code, record)
                code.lines(f"""
                    done = None
                    while done is None and first < {index + 1}:
                        done = {call}
                        first, handle, following = following
                    if done is not None:
                        ignored += done
                        continue
                    """)

    def _write_look_up(self, index: int, code: Code, rules: RuleCode) -> None:
        code.line(f"rule = {index}")
        rules.need_kafka([self.asked[index].when])
        value = code.share(write(code, self.asked[index].value), "value")
        table, none = code.own(self._table, "rules"), code.constant(self._none, "none")
        found = f"{table}.get({value}, {none}) if type({value}) is str else {none}"
        code.line(f"first, handle, following = {found}")

    def _write_call(self, index: int, code: Code, record: RecordCode) -> str:
        """The call of the function that was found; the functions of the rules up to this one are written with it."""
        parts = record.parts_for([self._of.file.rules[each] for each in self.asked])
        given = ("record", EVENT, "calls", "rejected", *self._of.locals_of_envelope)
        parameters = ", ".join([*given, *parts, *code.lets.values()])
        for each in self.asked:
            if each <= index and each not in self._handlers:
                self._handlers[each] = self._handler(each, code, record, parts), parameters
        return f"handle({parameters})"

    def _handler(self, index: int, outer: Code, record: RecordCode, parts: Sequence[str]) -> Code:
        """Write a rule's function; it returns how many records are ignored, or None if its `rest` does not hold."""
        code, asked = Code(outer), self.asked[index]
        rules = RuleCode(code, self._of, record.within(code, parts), sent="return 0", ignored="return 1")
        with rules.one_record():
            code.line(f"rule = {index}")
            if asked.rest is not None:
                rules.need_kafka([asked.when])
                with code.block(f"if not {write(code, asked.rest)}:"):
                    code.line("return None")
            rules.handle(self._of.file.rules[index])
        return code

    def compile(self) -> None:
        """Compile the functions, for the dictionaries that converters read."""
        for index, (code, parameters) in self._handlers.items():
            self._factories[index] = code.factory(_name(index), parameters, self._file(index))

    def _table(self, target: Target) -> dict[str, Entry]:
        """The first rule for each text, with the functions of one topic."""
        table: dict[str, Entry] = {}
        for index in sorted(self.asked, reverse=True):
            handle = self._factories[index](target)
            for text in self.asked[index].texts:
                table[text] = index, handle, table.get(text, self._none)
        return table

    def sources(self) -> Iterator[str]:
        """The functions' source."""
        for index, (code, parameters) in self._handlers.items():
            yield code.source(_name(index), parameters, self._file(index))

    def _file(self, index: int) -> str:
        return f"{self._place.removesuffix('>')} rule {self._of.file.rules[index].at}>"


def _name(index: int) -> str:
    return f"handle_{index}"


def _asked(rule: Rule) -> Asked | None:
    """A rule's condition, if it compares one value with texts; None if it has another form."""
    if rule.when is None or rule.when.makes_text:
        return None
    condition, rest = rule.when.condition, None
    # With a `let`, the rest could evaluate it a second time, after this rule.
    if isinstance(condition, ir.Logic) and condition.conjunction and not rule.when.lets:
        condition, *others = condition.operands
        rest = ir.Logic(conjunction=True, operands=tuple(others), is_condition=True)
    either = isinstance(condition, ir.Logic) and not condition.conjunction
    sides = condition.operands if isinstance(condition, ir.Logic) and either else (condition,)
    compared = [found for side in sides if (found := _compared(side))]
    if len(compared) < len(sides) or len({repr(value) for value, _ in compared}) > 1:
        return None
    return Asked(rule.when, compared[0][0], frozenset(text for _, text in compared), rest)


def _compared(node: ir.Node) -> tuple[ir.Node, str] | None:
    """The sides of `value == 'text'`."""
    if not isinstance(node, ir.Equal) or node.negated or not isinstance(node.right, ir.Literal):
        return None
    text = node.right.value
    return (node.left, text) if type(text) is str else None
