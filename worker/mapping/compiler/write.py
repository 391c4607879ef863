"""From the intermediate representation of an expression to Python source.

The result is statements, and a Python expression for the value. Three rules keep it correct:

- Values have exact JSON types (`dict`, `list`, `str`, `int`, `float`, `bool`, None), so types are compared by `is`.
  Subclasses cannot occur: all values come from a decoder or from the functions of expressions.
- A returned Python expression has no side effects and cannot raise. Anything that may raise (a function call) is a
  statement, so that errors occur in the same order as in the `jmespath` library. Which error comes first decides
  whether a record is rejected or an expression is null.
- What the library evaluates only under a condition becomes a fragment that is pasted inside that condition. Evaluated
  outside, it could reject a record that the library accepts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.mapping.compiler import templates
from worker.mapping.compiler.library_calls import LibraryCalls
from worker.mapping.compiler.lower import NEVER_A_MISMATCH
from worker.mapping.compiler.objects import ABOUT, EVENT, KAFKA, Objects
from worker.mapping.compiler.packed import object_type, sent_nodes
from worker.mapping.compiler.source import UNSET, is_name
from worker.mapping.expressions import functions, ir, text_length
from worker.mapping.expressions.equality import alike, holds_boolean_or_bit
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.interpreter import without_kafka
from worker.mapping.expressions.tables import in_table, in_table_or_null, look_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.mapping.compiler.source import Code, Fragment

_PLAIN = (type(None), bool, int, float, str)

Branch = tuple["Fragment", str]
"""Statements, and the Python expression for the value that they compute."""


def write(code: Code, lowered: ir.Node) -> str:
    """Write an expression that `lower` returned, in a function that has `EVENT`, and `KAFKA` if that is read.

    Returns:
        A Python expression for its value, to be evaluated once, in this block.
    """
    return _Writer(code, sent_nodes(lowered) if code.packs else ()).whole(lowered, EVENT)


class _Writer:
    """Writes one expression into one `Code`.

    Args:
        code: the function under construction.
        packed: the ids of the nodes in whose values objects are packed.

    Attributes:
        raises: whether a statement was written that can raise `Mismatch`.
    """

    def __init__(self, code: Code, packed: Iterable[int]) -> None:
        self.raises = False
        self._code = code
        self._packed = frozenset(packed)
        self._constant = code.constant
        self._objects = Objects(code)
        self._library_calls = LibraryCalls(code)
        self._objects.known(EVENT)
        self._objects.known(KAFKA)

    def value(self, node: ir.Node, at: str) -> str:
        """Write a node that is evaluated on the value that `at` names.

        Returns:
            A Python expression, to be evaluated at most once and before the block ends.
        """
        meaning = f"{'packed ' if id(node) in self._packed else ''}{node} at {at}"
        text = self._code.recall(meaning) or self._write(node, at)
        if is_name(text):
            self._code.remember(meaning, text)
        return text

    def _write(self, node: ir.Node, at: str) -> str:
        """Write a node by the method that is named after its type: a `Path` by `_path`."""
        method: Callable[[ir.Node, str], str] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node, at)

    def whole(self, node: ir.Node, at: str, *, catches: bool = False) -> str:
        """As `value`, but null where a function is given a wrong type; with `catches`, where anything fails."""
        outer, self.raises = self.raises, False
        with self._code.aside() as fragment:
            text = self.value(node, at)
        raises, self.raises = self.raises or (catches and bool(fragment)), outer
        if not raises:
            self._code.paste(fragment)
            return text
        result = self._code.name("value")
        self._branch("try:", result, (fragment, text))
        failures = self._constant(Mismatch)
        failures = f"({failures}, {self._constant(ExpressionFailed)})" if catches else failures
        with self._code.block(f"except {failures}:"):
            self._code.line(f"{result} = None")
        return result

    # Names

    def _local(self, node: ir.Node, at: str) -> str:
        """A name that holds the node's value."""
        return self._code.share(self.value(node, at), _hint(node))

    def _atom(self, node: ir.Node, at: str) -> str:
        """A name or literal text: Python that may be repeated."""
        if isinstance(node, ir.Literal) and type(node.value) is str:
            return repr(node.value)
        return self._local(node, at)

    # Paths

    def _current(self, _node: ir.Current, at: str) -> str:
        return self._visible(at)

    def _visible(self, at: str) -> str:
        """The value itself; of the event, what is not `_kafka`."""
        if at != EVENT or at in self._code.structs:
            return at
        visible = self._code.share(
            f'{at} if "_kafka" not in {at} else {self._constant(without_kafka)}({at})', "whole"
        )
        self._objects.known(visible)
        return visible

    def _kafka(self, _node: ir.Kafka, _at: str) -> str:
        return KAFKA

    def _envelope(self, _node: ir.Envelope, _at: str) -> str:
        self._objects.known(ABOUT)
        return ABOUT

    def _field(self, node: ir.Field, at: str) -> str:
        return self._objects.field(node.name, at)

    def _literal(self, node: ir.Literal, _at: str) -> str:
        value = node.value
        return repr(value) if isinstance(value, _PLAIN) else self._constant(value, "literal")

    def _slice(self, node: ir.Slice, at: str) -> str:
        return templates.part(node.bounds, at)

    def _element(self, node: ir.Element, at: str) -> str:
        text = templates.element(node.index, at)
        self._objects.item_of(text, at)
        return text

    def _path(self, node: ir.Path, at: str) -> str:
        *steps, last = node.steps
        for step in steps:
            at = self._local(step, at)
        return self.value(last, at)

    def _select(self, node: ir.Select, at: str) -> str:
        if node.reads_fields:
            self._objects.name(at)
        with self._code.aside() as fragment:
            values = [self.value(item, at) for item in node.items]
        display = self._display(node, values)
        if self._objects.is_known(at):
            self._code.paste(fragment)
            return display
        if not fragment:
            return f"({display} if {at} is not None else None)"
        result = self._result("None")
        self._branch(f"if {at} is not None:", result, (fragment, display))
        return result

    def _display(self, node: ir.Select, values: list[str]) -> str:
        """A Python expression for a new object or list of these values."""
        if node.names is None:
            return f"[{', '.join(values)}]"
        packed = object_type((name, False) for name in node.names) if id(node) in self._packed else None
        if packed is not None:
            return f"{self._constant(packed, 'item_type')}({', '.join(values)})"
        pairs = zip(node.names, values, strict=True)
        return f"{{{', '.join(f'{name!r}: {value}' for name, value in pairs)}}}"

    def _result(self, text: str, hint: str = "result") -> str:
        """A name for a value that the following statements may change."""
        name = self._code.name(hint)
        self._code.line(f"{name} = {text}")
        return name

    # Logic

    def _truth(self, node: ir.Truth, at: str) -> str:
        return templates.truth(self._local(node.value, at))

    def _not(self, node: ir.Not, at: str) -> str:
        return f"(not {self.value(node.condition, at)})"

    def _equal(self, node: ir.Equal, at: str) -> str:
        if isinstance(node.right, ir.Literal):
            value = node.right.value
            name, literal = self._local(node.left, at), self._literal(node.right, at)
            if isinstance(value, list | dict) and holds_boolean_or_bit(value):
                return self._same(name, literal, negated=node.negated)
            return templates.equals_literal(name, value, literal, negated=node.negated)
        first, second = self._local(node.left, at), self._local(node.right, at)
        return self._same(first, second, negated=node.negated)

    def _same(self, first: str, second: str, *, negated: bool) -> str:
        """As `equality.same`, and as fast as `==` for unequal values and for text."""
        text = (
            f"({first} == {second} and (type({first}) is str or {self._constant(alike)}({first}, {second})))"
        )
        return f"(not {text})" if negated else text

    def _order(self, node: ir.Order, at: str) -> str:
        first, second = self._atom(node.left, at), self._atom(node.right, at)
        checks = templates.both_ordered(
            node.left, first, node.right, second, self._constant(templates.ordered)
        )
        otherwise = "False" if node.is_condition else "None"
        return templates.guarded(checks, f"{first} {node.operator} {second}", otherwise)

    def _logic(self, node: ir.Logic, at: str) -> str:
        """Every operand but the first is evaluated only if the ones before it do not decide the result."""
        first, *others = node.operands
        text = self.value(first, at)
        operands = [self._aside(operand, at) for operand in others]
        if node.is_condition and not any(fragment for fragment, _ in operands):
            texts = [text, *(operand for _, operand in operands)]
            return f"({(' and ' if node.conjunction else ' or ').join(texts)})"
        result = self._result(text, "holds" if node.is_condition else "result")
        goes_on = result if node.is_condition else templates.truth(result)
        for operand in operands:
            self._branch(f"if {goes_on}:" if node.conjunction else f"if not {goes_on}:", result, operand)
        return result

    def _aside(self, node: ir.Node, at: str) -> Branch:
        with self._code.aside() as fragment:
            text = self.value(node, at)
        return fragment, text

    def _branch(self, header: str, result: str, branch: Branch) -> None:
        """Write a compound statement that evaluates a branch to `result`."""
        fragment, text = branch
        with self._code.block(header):
            self._code.paste(fragment)
            self._code.line(f"{result} = {text}")

    def _choice(self, node: ir.Choice, at: str) -> str:
        condition = self.whole(node.condition, at)
        then, otherwise = self._aside(node.then, at), self._aside(node.otherwise, at)
        if not then[0] and not otherwise[0]:
            return f"({then[1]} if {condition} else {otherwise[1]})"
        result = self._code.name("result")
        self._branch(f"if {condition}:", result, then)
        self._branch("else:", result, otherwise)
        return result

    def _default(self, node: ir.Default, at: str) -> str:
        found = self._code.share(self.whole(node.value, at, catches=node.catches), "found")
        otherwise = self._aside(node.otherwise, at)
        if not otherwise[0]:
            return f"({found} if {found} is not None else {otherwise[1]})"
        result = self._result(found)
        self._branch(f"if {found} is None:", result, otherwise)
        return result

    # Names that stand for expressions, and tables

    def _variable(self, node: ir.Variable, _at: str) -> str:
        return self._code.recall(f"${node.name}") or "None"

    def _let(self, node: ir.Let, _at: str) -> str:
        if ir.is_field(node.value):  # cheaper to read again than to keep
            return self.value(node.value, EVENT)
        code = self._code
        if node.number not in code.lets:
            code.lets[node.number] = code.name(f"let_{node.name}")
        local = code.lets[node.number]
        if code.recall(local) is None:  # not evaluated for certain
            with code.block(f"if {local} is {self._constant(UNSET, 'unset')}:"):
                text = self.whole(node.value, EVENT)
                code.line(f"{local} = {text}")
            self._objects.same_struct(local, text)
            code.remember(local, local)
        return local

    def _lookup(self, node: ir.Lookup, at: str) -> str:
        name, key = self._atom(node.table, at), self._atom(node.key, at)
        self.raises |= not node.soft
        if not isinstance(node.table, ir.Literal):
            tables = self._constant(node.tables, "tables")
            return self._code.share(f"{self._constant(look_up)}({tables}, {name}, {key})", "found")
        table = self._constant(node.tables[node.table.value], "table")
        if not node.soft:
            return self._code.share(f"{self._constant(in_table)}({table}, {key})", "found")
        other = f"{self._constant(in_table_or_null)}({table}, {key})"
        return f"({table}.get({key}) if type({key}) is str else {other})"

    # Functions

    def _call(self, node: ir.Call, at: str) -> str:
        if node.name == "not_null":
            return templates.first_found([self._local(argument, at) for argument in node.arguments])
        arguments = [self._atom(argument, at) for argument in node.arguments]
        if node.inline:
            return templates.inline(node, arguments)
        self.raises |= node.name not in NEVER_A_MISMATCH
        call = f"{self._constant(functions.caller(node.name))}({', '.join(arguments)})"
        if node.name == "concat":
            return self._concat(node, arguments, call)
        return self._code.share(call, node.name)

    def _concat(self, node: ir.Call, arguments: list[str], call: str) -> str:
        """Write a `concat` of texts inline; `call` is the Python for all others."""
        known = self._code.recall(call)
        if known is not None:
            return known
        result = self._code.name("text")
        tests = [templates.typed(*each, ("str",)) for each in zip(node.arguments, arguments, strict=True)]
        length = " + ".join(f"len({argument})" for argument in arguments)
        self._code.lines(f"""
            if {" and ".join(filter(None, tests)) or "True"}:
                {self._constant(text_length.check)}('concat', {length})
                {result} = {" + ".join(arguments)}
            else:
                {result} = {call}
            """)
        self._code.remember(call, result)
        return result

    def _map(self, node: ir.Map, at: str) -> str:
        source = self._local(node.items, at)
        self.raises = True
        with self._code.block(f"if type({source}) is not list:"):
            self._code.line(f"raise {self._constant(Mismatch)}")
        result = self._result("[]", "mapped")
        element = self._code.name("element")
        with self._code.block(f"for {element} in {source}:"):
            self._code.line(f"{result}.append({self.value(node.each, element)})")
        return result

    def _library(self, node: ir.Library, at: str) -> str:
        self.raises = True
        return self._code.share(self._library_calls.of(node.syntax, self._visible(at)), "interpreted")

    # Projections

    def _flatten(self, node: ir.Flatten, at: str) -> str:
        return f"{self._constant(templates.flattened)}({self.value(node.value, at)})"

    def _projection(self, node: ir.Projection, at: str) -> str:
        source = self._local(node.source, at)
        result = self._result("None", "items")
        kind, items = ("dict", f"{source}.values()") if node.kind == "values" else ("list", source)
        with self._code.block(f"if type({source}) is {kind}:"):
            self._code.line(f"{result} = []")
            self._loop(node, result, source, items)
        return result

    def _loop(self, node: ir.Projection, result: str, source: str, items: str) -> None:
        """Write the loop. If objects are expected and an item is none, the library evaluates the whole list instead."""
        item = self._code.name("element")
        self._objects.item_of(item, source)
        if node.kind == "flat" and not node.of_objects:
            items = f"{self._constant(templates.flattened)}({items})"
        with self._code.block(f"for {item} in {items}:"):
            if node.of_objects and not self._objects.known_item(item):
                self.raises |= node.again_calls
                with self._code.block(f"if type({item}) is not {self._objects.type(item)}:"):
                    self._code.line(f"{result} = {self._library_calls.of(node.again, source)}")
                    self._code.line("break")
                self._objects.known(item)
            if node.condition is None:
                self._append(node.each, result, item)
                return
            with self._code.block(f"if {self.value(node.condition, item)}:"):
                self._append(node.each, result, item)

    def _append(self, each: ir.Node, result: str, item: str) -> None:
        text = self.value(each, item)
        if self._objects.is_known(item) and isinstance(each, ir.Select | ir.Current):  # never null
            self._code.line(f"{result}.append({text})")
            return
        found = self._code.share(text, "found")
        with self._code.block(f"if {found} is not None:"):
            self._code.line(f"{result}.append({found})")


def _hint(node: ir.Node) -> str:
    """A readable name for a node's value."""
    match node:
        case ir.Field() | ir.Call() | ir.Let() | ir.Variable():
            return node.name
        case ir.Path():
            return _hint(node.steps[-1])
    return "value"
