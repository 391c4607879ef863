"""Which parts of an event a mapping reads, and a decoder that skips all others.

A typed msgspec decoder makes structs that hold only the fields that some expression looks at, at every level. It costs
half of decoding everything, and reading an attribute costs a third of asking a dict. What an expression looks at as a
whole is decoded whole, to dicts.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Union

import msgspec

from worker.mapping.expressions.parser import Node, fields_read


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
        return _projected(children)
    if kind == "flatten":
        item = _item(wanted)
        return parts_read(children[0], Parts(items=_all([item, Parts(items=item)])))
    if kind == "slice":
        return WHOLE
    # Functions, comparisons, conditions, {...} and [...]: each child counts as a whole. An && or || may answer
    # one of them, and asks whether an object is empty.
    return _all(parts_read(child) for child in children)


def _projected(children: list[Node]) -> Parts:
    """A list of which each item is evaluated, and perhaps tested before."""
    source, *each = children
    # What it makes of an item is decoded whole: where an item is no object, the library makes it of plain JSON.
    item = _all(map(parts_read, each))
    if source["type"] == "flatten" and not any(map(fields_read, each)):
        item = WHOLE  # items of lists in the list mingle with those of the list, which may have another form
    return parts_read(source, Parts(items=item))


def _item(wanted: Parts) -> Parts:
    """What is read of the items of a list of which this is read."""
    return WHOLE if wanted.whole else wanted.items or Parts()


def _all(several: Iterable[Parts]) -> Parts:
    together = Parts()
    for parts in several:
        together.add(parts)
    return together


@dataclass(frozen=True, slots=True)
class Form:
    """What a value is decoded to of which only parts are read; None stands for what is decoded whole.

    Attributes:
        made: what an object becomes; a field that it does not have is None.
        empty: one of those that has no fields.
        members: for each field's name, the attribute that holds it, and its own form.
        items: the form of each item, if it is a list.
    """

    made: type[msgspec.Struct]
    empty: msgspec.Struct
    members: dict[str, tuple[str, Form | None]]
    items: Form | None

    @property
    def type(self) -> Any:
        """The type for msgspec: of any type, but no more of an object or a list than is read."""
        items: Any = list
        if self.items is not None:
            items = items[self.items.type]
        return Union[self.made, items, str, int, float, bool, None]  # noqa: UP007 - made for msgspec


def form_of(parts: Parts) -> Form | None:
    """The form of an event of which these parts are read; None where that is everything, or cannot be told apart.

    A decoder of the form's `made` refuses what `decoding.decode` refuses, except for two things in what it skips: text
    that is not UTF-8, and numbers that no float can hold.
    """
    if "_kafka" in parts.fields or not _can_be_told(parts):
        return None
    return _form(parts)


def _form(parts: Parts) -> Form | None:
    if parts.whole:
        return None
    members = {
        name: (_attribute(name, n), _form(inner)) for n, (name, inner) in enumerate(parts.fields.items())
    }
    made = msgspec.defstruct(
        "Parts",
        [(attribute, Any if form is None else form.type, None) for attribute, form in members.values()],
        rename={attribute: name for name, (attribute, _) in members.items()},
        gc=False,  # it is made of JSON, which has no cycles
    )
    return Form(made, made(), members, None if parts.items is None else _form(parts.items))


_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NEEDS_ESCAPE = re.compile(r'[\x00-\x1f"\\]')


def _attribute(name: str, number: int) -> str:
    return name if _PLAIN_NAME.fullmatch(name) and not keyword.iskeyword(name) else f"_{number}"


def _can_be_told(parts: Parts) -> bool:
    """Whether msgspec takes the names of all fields: it refuses those that JSON escapes."""
    if parts.whole:
        return False
    inner = [*parts.fields.values(), *([parts.items] if parts.items else [])]
    return not any(map(_NEEDS_ESCAPE.search, parts.fields)) and all(
        each.whole or _can_be_told(each) for each in inner
    )


def plain(value: Any) -> Any:
    """A value that was decoded in parts, as JSON has it: what it is made of is null where it was not there."""
    if isinstance(value, msgspec.Struct):
        names = value.__struct_encode_fields__
        return {
            name: plain(getattr(value, of)) for name, of in zip(names, value.__struct_fields__, strict=True)
        }
    return [plain(item) for item in value] if type(value) is list else value
