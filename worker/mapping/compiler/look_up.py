"""Many rules that compare one value with different texts, as one look-up in a dictionary.

A thousand rules that ask for `type` would be a thousand comparisons for the last of them, and one function too large to
compile in reasonable time and memory. Instead each of these rules is a function of its own:

    first, handle, following = rules.get(type_1, none) if type(type_1) is str else none
    while first < 1000:
        done = handle(record, event, calls, rejected, ...)
        if done is not None:
            break
        first, handle, following = following
    else:
        done = None
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
from dataclasses import dataclass, field

from worker.mapping.compiler.places import Places
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.rule import Compiled, RuleCode
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.values import EVENT, KAFKA
from worker.mapping.compiler.write import write
from worker.mapping.expressions import ir
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.rules import Rule

LEAST_RULES = 16
"""With fewer rules, comparisons cost less than a look-up and a call."""

START = "rule = index = place = None"
"""The beginning of a record's handling: the rule, the call of it, and the call's place among all of the record's."""


def rejection(code: Code, places: Places) -> str:
    """The statement that rejects a record because of `fault`."""
    located = code.constant(places.located, "located")
    return f"rejected.append((record, {located}(fault, record, rule, index, place)))"


@dataclass(frozen=True, slots=True)
class Asked:
    """The condition of a rule that can be looked up: a value is one of some texts, and perhaps more.

    Attributes:
        value: the value that is compared.
        texts: the rule matches only if the value is one of these.
        rest: what else must hold; None for nothing.
    """

    value: ir.Node
    texts: frozenset[str]
    rest: ir.Node | None


Entry = tuple[int, Callable[..., int | None] | None, "Entry | None"]
"""A rule's position, its function, and the next rule for its text; None after a rule whose text alone decides."""


@dataclass(slots=True)
class LookUp:
    """The rules that are looked up.

    Attributes:
        compiled: the file.
        places: names the places of rejections.
        place: what tracebacks name as the file.
        when: the first of these rules' conditions.
        value: the value that they all compare.
        asked: the condition of each of these rules, by its position.
        handlers: the functions' code, by the rules' positions, with their parameters.
    """

    compiled: Compiled
    places: Places
    place: str
    when: Expression
    value: ir.Node
    asked: dict[int, Asked]
    handlers: dict[int, tuple[Code, str]] = field(default_factory=dict)
    _table: dict[str, Entry] = field(default_factory=dict)
    _found: str = ""

    @classmethod
    def of(cls, compiled: Compiled, places: Places, place: str) -> LookUp | None:
        """Find the rules; None if there are too few."""
        groups: dict[str, dict[int, Asked]] = defaultdict(dict)
        for index, rule in enumerate(compiled.file.rules):
            asked = _asked(rule)
            if asked is not None:
                groups[repr(asked.value)][index] = asked
        largest = max(groups.values(), key=len, default={})
        if len(largest) < LEAST_RULES:
            return None
        first = min(largest)
        when = compiled.file.rules[first].when
        assert when is not None
        return cls(compiled, places, place, when, largest[first].value, largest)

    def has(self, index: int) -> bool:
        """Whether a rule is looked up."""
        return index in self.asked

    def write(self, index: int, code: Code, rules: RuleCode, record: RecordCode) -> None:
        """Write what stands in place of the rule in the converter; one statement for neighbours."""
        if not self._found:
            self._write_look_up(index, code, rules)
        if self.has(index + 1):
            return
        if all(asked.rest is None for asked in self.asked.values()):
            with code.block(f"if {self._found} < {index + 1}:"):
                code.line(f"ignored += {self._write_call(index, code, record)}")
                code.line("continue")
            return
        with code.block(f"while {self._found} < {index + 1}:"):
            code.lines(f"""
                done = {self._write_call(index, code, record)}
                if done is not None:
                    break
                {self._found}, handle, following = following
                """)
        code.lines("""
            else:
                done = None
            if done is not None:
                ignored += done
                continue
            """)

    def _write_look_up(self, index: int, code: Code, rules: RuleCode) -> None:
        code.line(f"rule = {index}")
        rules.need_kafka([self.when])
        kafka = KAFKA if self.when.uses_kafka else "None"
        value = code.share(write(code, self.value, EVENT, kafka), "value")
        self._found = code.name("first")
        table, none = code.constant(self._table, "rules"), code.constant(self._none, "none")
        found = f"{table}.get({value}, {none}) if type({value}) is str else {none}"
        code.line(f"{self._found}, handle, following = {found}")

    @property
    def _none(self) -> Entry:
        return len(self.compiled.file.rules), None, None

    def _write_call(self, index: int, code: Code, record: RecordCode) -> str:
        """The call of the function that was found; the functions of the rules up to this one are written with it."""
        parts = record.parts_for([self.compiled.file.rules[each] for each in self.asked])
        given = ("record", EVENT, "calls", "rejected", *self.compiled.locals_of_envelope)
        parameters = ", ".join([*given, *parts, *code.lets.values()])
        for each in self.asked:
            if each <= index and each not in self.handlers:
                self.handlers[each] = self._handler(each, code, record, parts), parameters
        return f"handle({parameters})"

    def _handler(self, index: int, outer: Code, record: RecordCode, parts: Sequence[str]) -> Code:
        """Write a rule's function; it returns how many records are ignored, or None if its `rest` does not hold."""
        code = Code(outer)
        rules = RuleCode(code, self.compiled, record.within(code, parts), sent="return 0", ignored="return 1")
        rule, rest = self.compiled.file.rules[index], self.asked[index].rest
        with code.record():
            code.line(START)
            code.line(f"rule = {index}")
            with code.block("try:"):
                if rest is not None and rule.when is not None:
                    rules.need_kafka([rule.when])
                    holds = write(code, rest, EVENT, KAFKA if rule.when.uses_kafka else "None")
                    with code.block(f"if not {holds}:"):
                        code.line("return None")
                rules.handle(rule)
            with code.block("except Exception as fault:"):
                code.line(rejection(code, self.places))
                code.line("return 0")
        return code

    def build(self) -> None:
        """Compile the functions, for the dictionary that the converter reads."""
        for index in sorted(self.asked, reverse=True):
            code, parameters = self.handlers[index]
            built = code.build(_name(index), parameters, self._file(index))
            asked = self.asked[index]
            for text in asked.texts:
                following = None if asked.rest is None else self._table.get(text, self._none)
                self._table[text] = index, built, following

    def sources(self) -> Iterator[str]:
        """The functions' source."""
        for index in self.asked:
            code, parameters = self.handlers[index]
            yield code.source(_name(index), parameters, self._file(index))

    def _file(self, index: int) -> str:
        return f"{self.place.removesuffix('>')} rule {self.compiled.file.rules[index].at}>"


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
        rest = (
            others[0]
            if len(others) == 1
            else ir.Logic(conjunction=True, operands=tuple(others), is_condition=True)
        )
    either = isinstance(condition, ir.Logic) and not condition.conjunction
    sides = condition.operands if isinstance(condition, ir.Logic) and either else (condition,)
    compared = [found for side in sides if (found := _compared(side))]
    if len(compared) < len(sides) or len({repr(value) for value, _ in compared}) > 1:
        return None
    return Asked(compared[0][0], frozenset(text for _, text in compared), rest)


def _compared(node: ir.Node) -> tuple[ir.Node, str] | None:
    """The sides of `value == 'text'`."""
    if not isinstance(node, ir.Equal) or node.negated or not isinstance(node.right, ir.Literal):
        return None
    text = node.right.value
    return (node.left, text) if type(text) is str else None
