"""Which fields of an event a mapping uses, and struct types for a decoder that skips all others.

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

from worker.mapping.expressions import ir


@dataclass(slots=True)
class FieldsUsed:
    """What is used of a value.

    Attributes:
        whole: everything.
        fields: these fields, if it is an object.
        items: this of each item, if it is a list; None if nothing.
    """

    whole: bool = False
    fields: dict[str, FieldsUsed] = field(default_factory=dict)
    items: FieldsUsed | None = None

    def add(self, other: FieldsUsed) -> None:
        """Use what the other uses, too."""
        self.whole = self.whole or other.whole
        for name, used in other.fields.items():
            self.fields.setdefault(name, FieldsUsed()).add(used)
        if other.items is not None:
            self.items = self.items or FieldsUsed()
            self.items.add(other.items)


WHOLE = FieldsUsed(whole=True)


def fields_used(node: ir.Node, wanted: FieldsUsed = WHOLE) -> FieldsUsed:  # noqa: PLR0911 - one for each kind of node
    """What an expression uses of the value it is evaluated on.

    Args:
        node: the expression, as `lower` made it.
        wanted: what is used of its result.
    """
    match node:
        case ir.Field():
            return FieldsUsed(fields={node.name: wanted})
        case ir.Current():
            return wanted
        case ir.Literal() | ir.Kafka():
            return FieldsUsed()
        case ir.Element():
            return FieldsUsed(items=wanted)
        case ir.Slice():
            return WHOLE
        case ir.Path():
            for step in reversed(node.steps):
                wanted = fields_used(step, wanted)
            return wanted
        case ir.Projection() if node.kind != "values":
            return _projected(node)
        case ir.Flatten():
            return fields_used(node.value, _spliced(WHOLE if wanted.whole else wanted.items or FieldsUsed()))
    # Functions, comparisons, conditions, {...} and [...]: each operand counts as a whole. An && or || may return
    # one of them, and asks whether an object is empty.
    return _all(map(fields_used, ir.operands(node)))


def _projected(node: ir.Projection) -> FieldsUsed:
    """A list of which each item is evaluated, and perhaps tested before."""
    # What it makes of an item is decoded whole: where an item is no object, the library makes it of plain JSON.
    item = _all(map(fields_used, ir.operands(node)[1:]))
    if not node.of_objects and (node.kind == "flat" or isinstance(node.source, ir.Flatten)):
        item = WHOLE  # items of lists in the list mingle with those of the list, which may have another struct type
    return fields_used(node.source, _spliced(item) if node.kind == "flat" else FieldsUsed(items=item))


def _spliced(item: FieldsUsed) -> FieldsUsed:
    """A list of such items, or of lists of these."""
    return FieldsUsed(items=_all([item, FieldsUsed(items=item)]))


def _all(several: Iterable[FieldsUsed]) -> FieldsUsed:
    together = FieldsUsed()
    for used in several:
        together.add(used)
    return together


@dataclass(frozen=True, slots=True)
class StructType:
    """What a value is decoded to of which only some fields are used; None stands for what is decoded whole.

    Attributes:
        made: what an object becomes; a field that it does not have is None.
        empty: one of those that has no fields.
        members: for each field's name, the attribute that holds it, and its own struct type.
        items: the struct type of each item, if it is a list.
    """

    made: type[msgspec.Struct]
    empty: msgspec.Struct
    members: dict[str, tuple[str, StructType | None]]
    items: StructType | None

    @property
    def type(self) -> Any:
        """The type for msgspec: of any type, but no more of an object or a list than is read."""
        items: Any = list
        if self.items is not None:
            items = items[self.items.type]
        return Union[self.made, items, str, int, float, bool, None]  # noqa: UP007 - made for msgspec


def struct_type_of(used: FieldsUsed) -> StructType | None:
    """The struct type of an event of which these fields are used; None: decode all of it.

    A decoder of its `made` refuses what the format's `decode` refuses, except for two things in what it skips: text
    that is not UTF-8, and numbers that no float can hold.
    """
    if "_kafka" in used.fields or not _can_be_told(used):
        return None
    return _struct_type(used)


def _struct_type(used: FieldsUsed) -> StructType | None:
    if used.whole:
        return None
    members = {
        name: (_attribute(name, n), _struct_type(inner))
        for n, (name, inner) in enumerate(used.fields.items())
    }
    made = msgspec.defstruct(
        "FieldsUsed",
        [(attribute, Any if struct is None else struct.type, None) for attribute, struct in members.values()],
        rename={attribute: name for name, (attribute, _) in members.items()},
        gc=False,  # it is made of JSON, which has no cycles
    )
    return StructType(made, made(), members, None if used.items is None else _struct_type(used.items))


_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NEEDS_ESCAPE = re.compile(r'[\x00-\x1f"\\]')


def _attribute(name: str, number: int) -> str:
    return name if _PLAIN_NAME.fullmatch(name) and not keyword.iskeyword(name) else f"_{number}"


def _can_be_told(used: FieldsUsed) -> bool:
    """Whether msgspec takes the names of all fields: it refuses those that JSON escapes."""
    if used.whole:
        return False
    inner = [*used.fields.values(), *([used.items] if used.items else [])]
    return not any(map(_NEEDS_ESCAPE.search, used.fields)) and all(
        each.whole or _can_be_told(each) for each in inner
    )


def plain(value: Any) -> Any:
    """A value that was decoded to structs, as JSON has it: what it is made of is null where it was not there."""
    if isinstance(value, msgspec.Struct):
        names = value.__struct_encode_fields__
        return {
            name: plain(getattr(value, of)) for name, of in zip(names, value.__struct_fields__, strict=True)
        }
    return [plain(item) for item in value] if type(value) is list else value
