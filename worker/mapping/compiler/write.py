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

import keyword
from typing import TYPE_CHECKING, Any, assert_never

from worker.mapping.compiler import forms, templates
from worker.mapping.compiler.concat import write_concat
from worker.mapping.compiler.lower import NEVER_A_MISMATCH
from worker.mapping.compiler.objects import ABOUT, Objects
from worker.mapping.expressions import functions, ir
from worker.mapping.expressions.equality import alike, holds_boolean_or_bit
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.interpreter import ENVELOPE, Variables, interpret, without_kafka
from worker.mapping.expressions.names import lets_used
from worker.mapping.expressions.parser import contains

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code, Fragment
    from worker.mapping.expressions.parser import Node as Syntax

_PLAIN = (type(None), bool, int, float, str)


def write(code: Code, lowered: ir.Node, event: str, kafka: str) -> str:
    """Write a whole expression; returns a Python expression for its value, to be evaluated once, in this block.

    Args:
        code: the function under construction.
        lowered: the expression, as `lower` returns it.
        event: the name that holds the event.
        kafka: the name that holds `_kafka`; None as text where the expression does not read it.
    """
    return _Writer(code, event, kafka).whole(lowered, event)


class _Writer:
    """Writes one expression into one `Code`.

    Attributes:
        raises: whether a statement was written that can raise `Mismatch`.
    """

    def __init__(self, code: Code, event: str, kafka: str) -> None:
        self.raises = False
        self.code = code
        self.constant = code.constant
        self.event = event
        self._kafka = kafka
        self.objects = Objects(code)
        self.objects.known(event)
        if kafka != "None":
            self.objects.known(kafka)

    def value(self, node: ir.Node, at: str) -> str:
        """Write a node that is evaluated on the value that `at` names.

        Returns:
            A Python expression, to be evaluated at most once and before the block ends.
        """
        meaning = f"{node} at {at}"
        text = self.code.recall(meaning) or self._write(node, at)
        if _is_name(text):
            self.code.remember(meaning, text)
        return text

    def _write(self, node: ir.Node, at: str) -> str:  # noqa: C901, PLR0911, PLR0912 - one line each
        match node:
            case ir.Current():
                return self._current(at)
            case ir.Kafka():
                return self._kafka
            case ir.Envelope():
                self.objects.known(ABOUT)
                return ABOUT
            case ir.Field():
                return self.objects.field(node.name, at)
            case ir.Literal():
                return self._literal(node.value)
            case ir.Element():
                return self._element(node, at)
            case ir.Slice():
                return templates.part(node.bounds, at)
            case ir.Path():
                return self._path(node, at)
            case ir.Select():
                return self._select(node, at)
            case ir.Equal():
                return self._equal(node, at)
            case ir.Order():
                return self._order(node, at)
            case ir.Truth():
                return templates.truth(self._local(node.value, at))
            case ir.Not():
                return f"(not {self.value(node.condition, at)})"
            case ir.Logic():
                return self._logic(node, at)
            case ir.Call():
                return self._call(node, at)
            case ir.Map():
                return self._map(node, at)
            case ir.Let():
                return forms.let(self, node)
            case ir.Variable():
                return self.code.recall(f"${node.name}") or "None"
            case ir.Choice():
                return forms.choice(self, node, at)
            case ir.Default():
                return forms.default(self, node, at)
            case ir.Lookup():
                return forms.lookup(self, node, at)
            case ir.Library():
                return self._library(node, at)
            case ir.Flatten():
                return f"{self.constant(templates.flattened)}({self.value(node.value, at)})"
            case ir.Projection():
                return self._projection(node, at)
        assert_never(node)

    def whole(self, node: ir.Node, at: str, *, catches: bool = False) -> str:
        """As `value`, but null where a function is given a wrong type; with `catches`, where anything fails."""
        outer, self.raises = self.raises, False
        with self.code.aside() as fragment:
            text = self.value(node, at)
        raises, self.raises = self.raises or (catches and bool(fragment)), outer
        if not raises:
            self.code.paste(fragment)
            return text
        result = self.code.name("value")
        with self.code.block("try:"):
            self.code.paste(fragment)
            self.code.line(f"{result} = {text}")
        failures = self.constant(Mismatch)
        failures = f"({failures}, {self.constant(ExpressionFailed)})" if catches else failures
        with self.code.block(f"except {failures}:"):
            self.code.line(f"{result} = None")
        return result

    # Names

    def _local(self, node: ir.Node, at: str) -> str:
        """A name that holds the node's value."""
        return self.named(self.value(node, at), _hint(node))

    def atom(self, node: ir.Node, at: str) -> str:
        """A name or literal text: Python that may be repeated."""
        if isinstance(node, ir.Literal) and type(node.value) is str:
            return self._literal(node.value)
        return self._local(node, at)

    def named(self, text: str, hint: str) -> str:
        if _is_name(text):
            return text
        name = self.code.share(text, hint)
        self.objects.same_struct(name, text)
        return name

    # Paths

    def _current(self, at: str) -> str:
        if at != self.event or at in self.code.structs:
            return at
        visible = self.code.share(
            f'{at} if "_kafka" not in {at} else {self.constant(without_kafka)}({at})', "whole"
        )
        self.objects.known(visible)
        return visible

    def _literal(self, value: Any) -> str:
        return repr(value) if isinstance(value, _PLAIN) else self.constant(value, "literal")

    def _element(self, node: ir.Element, at: str) -> str:
        text = templates.element(node.index, at)
        self.objects.item_of(text, at)
        return text

    def _path(self, node: ir.Path, at: str) -> str:
        *steps, last = node.steps
        for step in steps:
            at = self._local(step, at)
        return self.value(last, at)

    def _select(self, node: ir.Select, at: str) -> str:
        if node.reads_fields:
            self.objects.name(at)
        with self.code.aside() as fragment:
            values = [self.value(item, at) for item in node.items]
        if node.names is None:
            display = f"[{', '.join(values)}]"
        else:
            pairs = zip(node.names, values, strict=True)
            display = f"{{{', '.join(f'{name!r}: {value}' for name, value in pairs)}}}"
        if self.objects.is_known(at):
            self.code.paste(fragment)
            return display
        if not fragment:
            return f"({display} if {at} is not None else None)"
        result = self.result("None")
        with self.code.block(f"if {at} is not None:"):
            self.code.paste(fragment)
            self.code.line(f"{result} = {display}")
        return result

    def result(self, text: str, hint: str = "result") -> str:
        """A name for a value that the following statements may change."""
        name = self.code.name(hint)
        self.code.line(f"{name} = {text}")
        return name

    # Logic

    def _equal(self, node: ir.Equal, at: str) -> str:
        if isinstance(node.right, ir.Literal):
            value = node.right.value
            name, literal = self._local(node.left, at), self._literal(value)
            if isinstance(value, list | dict) and holds_boolean_or_bit(value):
                return self._same(name, literal, negated=node.negated)
            return templates.equals_literal(name, value, literal, negated=node.negated)
        first, second = self._local(node.left, at), self._local(node.right, at)
        return self._same(first, second, negated=node.negated)

    def _same(self, first: str, second: str, *, negated: bool) -> str:
        """As `equality.same`, and as fast as `==` for unequal values and for text."""
        text = (
            f"({first} == {second} and (type({first}) is str or {self.constant(alike)}({first}, {second})))"
        )
        return f"(not {text})" if negated else text

    def _order(self, node: ir.Order, at: str) -> str:
        first, second = self.atom(node.left, at), self.atom(node.right, at)
        checks = templates.both_ordered(
            node.left, first, node.right, second, self.constant(templates.ordered)
        )
        otherwise = "False" if node.is_condition else "None"
        return templates.guarded(checks, f"{first} {node.operator} {second}", otherwise)

    def _logic(self, node: ir.Logic, at: str) -> str:
        """Every operand but the first is evaluated only if the ones before it do not decide the result."""
        first, *others = node.operands
        text = self.value(first, at)
        operands = [self.aside(operand, at) for operand in others]
        if node.is_condition and not any(fragment for fragment, _ in operands):
            texts = [text, *(operand for _, operand in operands)]
            return f"({(' and ' if node.conjunction else ' or ').join(texts)})"
        result = self.result(text, "holds" if node.is_condition else "result")
        goes_on = result if node.is_condition else templates.truth(result)
        for fragment, operand in operands:
            with self.code.block(f"if {goes_on}:" if node.conjunction else f"if not {goes_on}:"):
                self.code.paste(fragment)
                self.code.line(f"{result} = {operand}")
        return result

    def aside(self, node: ir.Node, at: str) -> tuple[Fragment, str]:
        with self.code.aside() as fragment:
            text = self.value(node, at)
        return fragment, text

    # Functions

    def _call(self, node: ir.Call, at: str) -> str:
        if node.name == "not_null":
            return templates.first_found([self._local(argument, at) for argument in node.arguments])
        arguments = [self.atom(argument, at) for argument in node.arguments]
        if node.inline:
            return templates.inline(node, arguments)
        self.raises |= node.name not in NEVER_A_MISMATCH
        call = f"{self.constant(functions.caller(node.name))}({', '.join(arguments)})"
        if node.name == "concat":
            return write_concat(self.code, node, arguments, call)
        return self.code.share(templates.of_whole_numbers(node.name, arguments, call), node.name)

    def _map(self, node: ir.Map, at: str) -> str:
        source = self._local(node.items, at)
        self.raises = True
        with self.code.block(f"if type({source}) is not list:"):
            self.code.line(f"raise {self.constant(Mismatch)}")
        result = self.result("[]", "mapped")
        element = self.code.name("element")
        with self.code.block(f"for {element} in {source}:"):
            self.code.line(f"{result}.append({self.value(node.each, element)})")
        return result

    def _library(self, node: ir.Library, at: str) -> str:
        self.raises = True
        call = self._interpreted(node.syntax, self._current(at), self._kafka)
        return self.code.share(call, "interpreted")

    def _interpreted(self, syntax: Syntax, at: str, kafka: str) -> str:
        if contains(syntax, "envelope"):
            about = f"{ENVELOPE!r}: {self.objects.plain(ABOUT)}"
            kafka = f"{{{about}}}" if kafka == "None" else f"{{**{kafka}, {about}}}"
        arguments = f"{self.constant(syntax, 'syntax')}, {self.objects.plain(at)}, {kafka}"
        variables = f", {self._variables(syntax)}" if contains(syntax, "variable") else ""
        return f"{self.constant(interpret)}({arguments}{variables})"

    def _variables(self, syntax: Syntax) -> str:
        """`Variables` for the library, with the values of `let`s that are known here."""
        plain, recall = self.objects.plain, self.code.recall
        loop = [plain(recall(name) or "None") for name in ("$item", "$index")]
        lets = ((let.number, self.code.lets.known(let.number)) for let in lets_used(syntax))
        known = ", ".join(f"{number}: {plain(local)}" for number, local in lets if local)
        return (
            f"{self.constant(Variables)}({plain(self.event)}, {self._kafka}, {', '.join(loop)}, {{{known}}})"
        )

    # Projections

    def _projection(self, node: ir.Projection, at: str) -> str:
        source = self._local(node.source, at)
        result = self.result("None", "items")
        kind, items = ("dict", f"{source}.values()") if node.kind == "values" else ("list", source)
        with self.code.block(f"if type({source}) is {kind}:"):
            self.code.line(f"{result} = []")
            self._loop(node, result, source, items)
        return result

    def _loop(self, node: ir.Projection, result: str, source: str, items: str) -> None:
        """Write the loop. If objects are expected and an item is none, the library evaluates the whole list instead."""
        item = self.code.name("element")
        self.objects.item_of(item, source)
        if node.kind == "flat" and not node.of_objects:
            items = f"{self.constant(templates.flattened)}({items})"
        with self.code.block(f"for {item} in {items}:"):
            if node.of_objects:
                self.raises |= node.again_calls
                with self.code.block(f"if type({item}) is not {self.objects.type(item)}:"):
                    self.code.line(f"{result} = {self._interpreted(node.again, source, 'None')}")
                    self.code.line("break")
                self.objects.known(item)
            if node.condition is None:
                self._append(node.each, result, item)
                return
            with self.code.block(f"if {self.value(node.condition, item)}:"):
                self._append(node.each, result, item)

    def _append(self, each: ir.Node, result: str, item: str) -> None:
        text = self.value(each, item)
        if self.objects.is_known(item) and isinstance(each, ir.Select | ir.Current):  # never null
            self.code.line(f"{result}.append({text})")
            return
        found = self.named(text, "found")
        with self.code.block(f"if {found} is not None:"):
            self.code.line(f"{result}.append({found})")


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _hint(node: ir.Node) -> str:
    """A readable name for a node's value."""
    match node:
        case ir.Field() | ir.Call() | ir.Let() | ir.Variable():
            return node.name
        case ir.Path():
            return _hint(node.steps[-1])
    return "value"
