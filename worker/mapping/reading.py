"""Which parts of an event a mapping reads, and a decoder that skips all others.

A typed msgspec decoder makes dicts that hold only the fields that some expression looks at, at every level. It costs
three quarters of decoding everything. What an expression looks at as a whole is decoded whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypedDict, Union

import msgspec

from worker.mapping.syntax import Node


@dataclass(slots=True)
class Parts:
    """What is read of a value.

    Attributes:
        whole: everything.
        fields: these fields, if it is an object.
        items: this of each item, if it is a list; None if nothing.
    """

    whole: bool = False
    fields: dict[str, Parts] = field(default_factory=dict)
    items: Parts | None = None

    def add(self, other: Parts) -> None:
        """Read what the other reads, too."""
        self.whole = self.whole or other.whole
        for name, parts in other.fields.items():
            self.fields.setdefault(name, Parts()).add(parts)
        if other.items is not None:
            self.items = self.items or Parts()
            self.items.add(other.items)


WHOLE = Parts(whole=True)


def parts_read(node: Node, wanted: Parts = WHOLE) -> Parts:  # noqa: PLR0911 - one answer for each kind of node
    """What an expression reads of the value it is evaluated on.

    Args:
        node: a tree of `syntax.parse`.
        wanted: what is read of its result.
    """
    kind, children = node["type"], node["children"]
    if kind == "field":
        return Parts(fields={node["value"]: wanted})
    if kind in {"current", "identity"}:
        return wanted
    if kind in {"literal", "kafka"}:
        return Parts()
    if kind == "index":
        return Parts(items=wanted)
    if kind in {"subexpression", "index_expression", "pipe"}:
        for child in reversed(children):
            wanted = parts_read(child, wanted)
        return wanted
    if kind in {"projection", "filter_projection"}:
        return _projected(children, wanted)
    if kind == "flatten":
        item = _item(wanted)
        return parts_read(children[0], Parts(items=_all([item, Parts(items=item)])))
    if kind == "slice":
        return WHOLE
    # Functions, comparisons, conditions, {...} and [...]: each child counts as a whole. An && or || may answer
    # one of them, and asks whether an object is empty.
    return _all(parts_read(child) for child in children)


def _projected(children: list[Node], wanted: Parts) -> Parts:
    """A list of which each item is evaluated, and perhaps tested before."""
    source, mapped, *test = children
    item = _all([parts_read(mapped, _item(wanted)), *(parts_read(condition) for condition in test)])
    return parts_read(source, Parts(items=item))


def _item(wanted: Parts) -> Parts:
    """What is read of the items of a list of which this is read."""
    return WHOLE if wanted.whole else wanted.items or Parts()


def _all(several: Iterable[Parts]) -> Parts:
    together = Parts()
    for parts in several:
        together.add(parts)
    return together


def decoder(parts: Parts) -> Callable[[bytes], Any] | None:
    """A function that decodes what is read of an event; None where that is everything.

    What it raises, or does not understand, `decoding.decode` is to judge. It does not see whether text that it skips
    is UTF-8.
    """
    if parts.whole:
        return None
    return msgspec.json.Decoder(_object(parts)).decode


def _object(parts: Parts) -> Any:
    members = {name: _type(inner) for name, inner in parts.fields.items()}
    made: Any = TypedDict  # which type checkers take for a form of their own
    return made("Parts", members, total=False)


def _type(parts: Parts) -> Any:
    """Of any type, but no more of an object or a list than is read."""
    if parts.whole:
        return Any
    items = list if parts.items is None else list[_type(parts.items)]  # type: ignore[misc] # made for msgspec
    return Union[_object(parts), items, str, int, float, bool, None]  # noqa: UP007 - | does not take a TypedDict
