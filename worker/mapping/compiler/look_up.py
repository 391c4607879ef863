"""Many rules that compare one value with different texts, as one look-up in a dictionary.

A thousand rules that ask for `type` would be a thousand comparisons for the last of them, and one function too large to
compile in reasonable time and memory. Instead each of these rules is a function of its own:

    first, handle = rules.get(type_1, none) if type(type_1) is str else none
    if first < 1000:
        ignored += handle(record, event, calls, rejected, ...)
        continue

Rules with other conditions stay where they are: the rule that was found applies only after those before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from worker.mapping.compiler.places import Places
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.rule import Compiled, RuleCode
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.values import EVENT, KAFKA, local
from worker.mapping.compiler.write import write
from worker.mapping.expressions import ir
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.rules import MappingFile

LEAST_RULES = 16
"""With fewer rules, comparisons cost less than a look-up and a call."""

START = "rule = index = place = None"
"""The beginning of a record's handling: the rule, the call of it, and the call's place among all of the record's."""


def rejection(code: Code, places: Places) -> str:
    """The statement that rejects a record because of `fault`."""
    located = code.constant(places.located, "located")
    return f"rejected.append((record, {located}(fault, record, rule, index, place)))"


@dataclass(slots=True)
class LookUp:
    """The rules that are looked up.

    Attributes:
        compiled: the file.
        places: names the places of rejections.
        place: what tracebacks name as the file.
        when: the first of these rules' conditions.
        value: what they compare.
        texts: for each of these rules, by its position, the texts that it compares it with.
        handlers: the functions' code, by the rules' positions, with their parameters.
    """

    compiled: Compiled
    places: Places
    place: str
    when: Expression
    value: ir.Node
    texts: dict[int, frozenset[str]]
    handlers: dict[int, tuple[Code, str]] = field(default_factory=dict)
    _table: dict[str, tuple[int, Callable[..., int] | None]] = field(default_factory=dict)
    _found: str = ""

    @classmethod
    def of(cls, compiled: Compiled, places: Places, place: str) -> LookUp | None:
        """Find the rules; None if there are too few."""
        groups: dict[str, list[tuple[int, ir.Node, frozenset[str]]]] = defaultdict(list)
        for index, value, texts in _comparisons(compiled.file):
            groups[repr(value)].append((index, value, texts))
        largest = max(groups.values(), key=len, default=[])
        if len(largest) < LEAST_RULES:
            return None
        first, value, _ = largest[0]
        when = compiled.file.rules[first].when
        assert when is not None
        return cls(compiled, places, place, when, value, {index: texts for index, _, texts in largest})

    def has(self, index: int) -> bool:
        """Whether a rule is looked up."""
        return index in self.texts

    def write(self, index: int, code: Code, rules: RuleCode, record: RecordCode) -> None:
        """Write what stands in place of the rule in the converter; one statement for neighbours."""
        if not self._found:
            self._write_look_up(index, code, rules)
        if not self.has(index + 1):
            with code.block(f"if {self._found} < {index + 1}:"):
                self._write_call(index, code, record)

    def _write_look_up(self, index: int, code: Code, rules: RuleCode) -> None:
        code.line(f"rule = {index}")
        rules.need_kafka([self.when])
        value = local(
            code, write(code, self.value, EVENT, KAFKA if self.when.uses_kafka else "None"), "value"
        )
        self._found = code.name("first")
        table, none = (
            code.constant(self._table, "rules"),
            code.constant((len(self.compiled.file.rules), None), "none"),
        )
        code.line(f"{self._found}, handle = {table}.get({value}, {none}) if type({value}) is str else {none}")

    def _write_call(self, index: int, code: Code, record: RecordCode) -> None:
        """Write the call of the function that was found; then those of the rules up to this one are written."""
        names = record.hand_over(
            [self.compiled.file.rules[each] for each in self.texts], self.compiled.target
        )
        lets = code.lets.hand_over()
        arguments = ", ".join([*self._given(), *names.values(), *lets.values()])
        code.line(f"ignored += handle({arguments})")
        code.line("continue")
        for each in self.texts:
            if each <= index and each not in self.handlers:
                self._handler(each, code, names, lets, record)

    def _given(self) -> tuple[str, ...]:
        """The parameters of every rule's function."""
        return ("record", EVENT, "calls", "rejected", *self.compiled.locals_of_envelope)

    def _handler(
        self, index: int, outer: Code, names: dict[str, str], lets: dict[int, str], record: RecordCode
    ) -> None:
        """Write a rule's function; it returns how many records are ignored."""
        code = Code(outer)
        code.lets.inherit(lets)
        for meaning, name in names.items():
            code.remember(meaning, name)
        rules = RuleCode(code, self.compiled, record.within(code), (("return 0",), ("return 1",)))
        code.line(START)
        code.line(f"rule = {index}")
        with code.block("try:"):
            rules.handle(self.compiled.file.rules[index])
        with code.block("except Exception as fault:"):
            code.line(rejection(code, self.places))
            code.line("return 0")
        parameters = ", ".join([*self._given(), *names.values(), *lets.values()])
        self.handlers[index] = code, parameters

    def build(self) -> None:
        """Compile the functions, for the dictionary that the converter reads."""
        for index, texts in self.texts.items():
            code, parameters = self.handlers[index]
            built = code.build(_name(index), parameters, file=self._file(index))
            for text in texts:
                self._table.setdefault(text, (index, built))

    def sources(self) -> Iterator[str]:
        """The functions' source."""
        for index in self.texts:
            code, parameters = self.handlers[index]
            yield code.source(_name(index), parameters, file=self._file(index))

    def _file(self, index: int) -> str:
        return f"{self.place.removesuffix('>')} rule {self.compiled.file.rules[index].at}>"


def _name(index: int) -> str:
    return f"handle_{index}"


def _comparisons(file: MappingFile) -> Iterator[tuple[int, ir.Node, frozenset[str]]]:
    """The rules whose condition is `value == 'text'`, or several of them with `||`: position, value and texts."""
    for index, rule in enumerate(file.rules):
        if rule.when is None or rule.when.makes_text:
            continue
        condition = rule.when.condition
        either = isinstance(condition, ir.Logic) and not condition.conjunction
        sides = condition.operands if isinstance(condition, ir.Logic) and either else (condition,)
        compared = [_compared(side) for side in sides]
        values = {repr(found[0]) for found in compared if found}
        first = compared[0]
        if first is not None and None not in compared and len(values) == 1:
            yield index, first[0], frozenset(text for _, text in filter(None, compared))


def _compared(node: ir.Node) -> tuple[ir.Node, str] | None:
    """The sides of `value == 'text'`."""
    if not isinstance(node, ir.Equal) or node.negated or not isinstance(node.right, ir.Literal):
        return None
    text = node.right.value
    return (node.left, text) if type(text) is str else None
