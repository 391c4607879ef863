"""Follows expressions through a description of the event, and says where a schema contradicts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from worker.core.near_matches import did_you_mean
from worker.formats.description import (
    ANYTHING,
    BOOLEAN,
    LIST,
    NUMBER,
    OBJECT,
    TEXT,
    Description,
    either,
    list_of,
    map_of,
    object_of,
    of,
    of_value,
    optional,
)
from worker.mapping.expressions.functions import NAMES, takes_expression
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import text_of
from worker.mapping.files.lint.schemas.comparisons import mismatch
from worker.mapping.files.lint.schemas.types import in_words, refuses, words_for
from worker.mapping.files.lint.spots import Spot, first_character, selected_from
from worker.mapping.files.lint.terms import RETURNED

Known = Description | None
"""What a value is; None if that is not known."""

_RESULTS = {
    str: of(TEXT),
    int: of(NUMBER),
    float: of(NUMBER),
    bool: of(BOOLEAN),
    list: of(LIST),
    dict: map_of(ANYTHING),
}
"""What functions return that always return the same type."""
_FIRST_OF = frozenset({"default", "try"})


class Found(NamedTuple):
    """A contradiction.

    Attributes:
        spot: the expression.
        start: the character of it.
        missing: the field that is not there; None for a type that cannot be used.
        message: what is wrong.
        hint: what to do.
        alternative: whether the expression has another value for the case that this one is not found.
    """

    spot: Spot
    start: int
    missing: str | None
    message: str
    hint: str | None = None
    alternative: bool = False


class Reading:
    """Follows the expressions of one rule.

    Args:
        event: what the event is.
        about: what `_change` or `_ce` is; None if that is not known.
        lets: the expressions of the `let`s that the rule can use, by name.

    Attributes:
        found: every contradiction.
    """

    def __init__(self, event: Description, about: Known, lets: dict[str, Spot]) -> None:
        self.found: list[Found] = []
        self._event = event
        self._about = about
        self._lets = lets
        self._spot: Spot | None = None
        self._item: Known = None
        self._alternatives = 0
        self._silent = 0
        self._following: set[str] = set()

    def whole(self, spot: Spot, item: Known = None) -> Known:
        """What the value of an expression is.

        Args:
            spot: the expression.
            item: what `$item` is.
        """
        self._spot, self._item = spot, item
        return self._visit(spot.node, self._event)

    def report(self, node: Node, message: str, hint: str | None = None, missing: str | None = None) -> None:
        """Keep a contradiction at a node of the expression."""
        assert self._spot is not None
        if not self._silent:
            start = node["start"] if "start" in node else first_character(node)
            self.found.append(Found(self._spot, start, missing, message, hint, self._alternatives > 0))

    def _visit(self, node: Node, here: Known) -> Known:
        visit: Callable[[Node, Known], Known] | None = getattr(self, f"_{node['type']}", None)
        return visit(node, here) if visit else self._others(node, here)

    def _others(self, node: Node, here: Known) -> Known:
        for child in node["children"]:
            self._visit(child, here)
        return None

    # Paths

    def _field(self, node: Node, here: Known) -> Known:
        if here is None or not here.branches:
            return None
        name = node["value"]
        if OBJECT not in here.kinds:
            self._report_field_of(node, here)
            return None
        found = here.field(name)
        if found is None:
            names = here.names
            hint = did_you_mean(name, names) or (f"it has {_some(names)}" if names else None)
            self.report(node, f"has no '{name}' here", hint, missing=name)
        return found

    def _report_field_of(self, node: Node, here: Description) -> None:
        assert self._spot is not None
        name = node["value"]
        message = f"{words_for(here.kinds)} has no '{name}', and it is {words_for(here.kinds)} in the schema"
        base = text_of(selected_from(self._spot.node, node))
        hint = f"write {base}[].{name} or {base}[0].{name}" if here.kinds == {LIST} else None
        self.report(node, message, hint)

    def _kafka(self, _node: Node, _here: Known) -> Known:
        return None

    def _envelope(self, _node: Node, _here: Known) -> Known:
        return self._about

    def _variable(self, node: Node, _here: Known) -> Known:
        name = node["value"]
        if name == "item":
            return self._item
        if name == "index":
            return of(NUMBER)
        spot = self._lets.get(name)
        if spot is None or name in self._following:
            return None
        self._following.add(name)
        self._silent += 1  # its own contradictions are found at its own place
        found = self._visit(spot.node, self._event)
        self._silent -= 1
        self._following.discard(name)
        return found

    def _current(self, _node: Node, here: Known) -> Known:
        return here

    _identity = _current

    def _subexpression(self, node: Node, here: Known) -> Known:
        for child in node["children"]:
            here = self._visit(child, here)
        return here

    _index_expression = _pipe = _subexpression

    def _index(self, node: Node, here: Known) -> Known:
        return self._items_of(node, here)

    def _slice(self, node: Node, here: Known) -> Known:
        items = self._items_of(node, here)
        return None if here is None else list_of(items)

    def _flatten(self, node: Node, here: Known) -> Known:
        given = self._visit(node["children"][0], here)
        items = self._items_of(node, given)
        inner = items.items() if items is not None and LIST in items.kinds else None
        return None if given is None else list_of(inner if inner is not None else items)

    def _projection(self, node: Node, here: Known) -> Known:
        left, right = node["children"]
        return list_of(self._visit(right, self._items_of(left, self._visit(left, here))))

    def _filter_projection(self, node: Node, here: Known) -> Known:
        left, right, condition = node["children"]
        items = self._items_of(left, self._visit(left, here))
        self._visit(condition, items)
        return list_of(self._visit(right, items))

    def _value_projection(self, node: Node, here: Known) -> Known:
        left, right = node["children"]
        given = self._visit(left, here)
        if given is not None and given.branches and OBJECT not in given.kinds:
            self.report(left, f"* takes an object, and this is {words_for(given.kinds)} in the schema")
            return None
        return list_of(self._visit(right, None if given is None else given.values()))

    def _items_of(self, node: Node, given: Known) -> Known:
        if given is None or not given.branches:
            return None
        if LIST not in given.kinds:
            message = f"[...] selects from lists, and this is {words_for(given.kinds)} in the schema"
            self.report(node, message)
            return None
        return given.items()

    # Values

    def _literal(self, node: Node, _here: Known) -> Known:
        return of_value(node["value"])

    def _multi_select_dict(self, node: Node, here: Known) -> Known:
        pairs = {pair["value"]: self._visit(pair["children"][0], here) for pair in node["children"]}
        return object_of({name: ANYTHING if value is None else value for name, value in pairs.items()})

    def _multi_select_list(self, node: Node, here: Known) -> Known:
        self._others(node, here)
        return list_of(None)

    def _comparator(self, node: Node, here: Known) -> Known:
        left, right = (self._visit(child, here) for child in node["children"])
        if left is not None and right is not None and (found := mismatch(node, left, right)):
            self.report(found.node, found.message, found.hint)
        return optional(of(BOOLEAN))

    def _not_expression(self, node: Node, here: Known) -> Known:
        self._others(node, here)
        return of(BOOLEAN)

    def _or_expression(self, node: Node, here: Known) -> Known:
        return self._either(node["children"], here)

    def _either(self, nodes: Sequence[Node], here: Known) -> Known:
        self._alternatives += 1
        found = [self._visit(child, here) for child in nodes]
        self._alternatives -= 1
        known = [each for each in found if each is not None]
        return either(known) if len(known) == len(found) else None

    # Functions

    def _function_expression(self, node: Node, here: Known) -> Known:
        name, given = node["value"], node["children"]
        if name in _FIRST_OF or name == "not_null":
            return self._either(given, here)
        if name == "if":
            self._visit(given[0], here)
            return self._either(given[1:], here)
        arguments = [None if each["type"] == "expref" else self._visit(each, here) for each in given]
        if any(takes_expression(name, index) for index in range(len(given))):
            return self._with_expression(node, arguments)
        if (
            name in NAMES
            and name != "lookup"
            and None not in [each.branches or None for each in arguments if each]
        ):
            self._check(node, arguments)
        return _RESULTS[RETURNED[name]] if name in RETURNED else None

    def _check(self, node: Node, arguments: list[Known]) -> None:
        if refuses(node["value"], arguments):
            given = " and ".join(in_words(each) for each in arguments if each is not None)
            message = f"{node['value']}() is given {given} in the schema, which it does not take: the result is null"
            self.report(node, message)

    def _with_expression(self, node: Node, arguments: list[Known]) -> Known:
        """`map(&name, list)`, `sort_by(list, &name)` and the like."""
        given = next((each for each in arguments if each is not None), None)
        items = self._items_of(node, given)
        for each in node["children"]:
            if each["type"] == "expref":
                result = self._visit(each["children"][0], items)
        match node["value"]:
            case "map":
                return list_of(result)
            case "sort_by":
                return given
        return items


def _some(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
