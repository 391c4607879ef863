"""Which fields of an event a mapping uses, and struct types for a decoder that skips all others.

A typed msgspec decoder makes structs that hold only the fields that some expression reads, at every level. It takes
half the time of decoding everything, and reading an attribute a third of the time of a dict lookup. A value that an
expression uses as a whole is decoded whole, to dicts.

There are two kinds of struct types: for any event, and for *usual* ones. In a usual event what is read as an object is
an object or null, what is read as a list is a list of the same, and all other values are `EXACT`. The decoder refuses
any other event, so generated code need not test types, and may pack what it sends (see `packed`).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, Union

import msgspec
from msgspec import Meta

from worker.mapping.expressions import ir
from worker.mapping.expressions.interpreter import ENVELOPE


@dataclass(slots=True)
class FieldsUsed:
    """Which parts of a value are used.

    Attributes:
        whole: all of it.
        fields: the fields used, and what is used of each, if the value is an object.
        items: what is used of each item, if the value is a list; None if nothing.
    """

    whole: bool = False
    fields: dict[str, FieldsUsed] = field(default_factory=dict)
    items: FieldsUsed | None = None

    def add(self, other: FieldsUsed) -> None:
        """Add what the other uses."""
        self.whole = self.whole or other.whole
        for name, used in other.fields.items():
            self.fields.setdefault(name, FieldsUsed()).add(used)
        if other.items is not None:
            self.items = self.items or FieldsUsed()
            self.items.add(other.items)

    def shape(self) -> Shape:
        """The same as a value that can be the key of a cache."""
        fields = tuple([(name, used.shape()) for name, used in self.fields.items()])
        return self.whole, fields, None if self.items is None else self.items.shape()


Shape: TypeAlias = "tuple[bool, tuple[tuple[str, Shape], ...], Shape | None]"
"""See the attributes of `FieldsUsed`."""


WHOLE = FieldsUsed(whole=True)

KEPT = 1000
"""How many struct types are kept, also those of inner objects: a file is compiled for each of its topics, and making
them takes a third of that. A type takes about 2 kB."""


@dataclass(slots=True)
class NamesUsed:
    """What is used of the values that `$names` stand for.

    Attributes:
        item: of `$item`.
        lets: of each expression in a `let`, by its number: the expression, and what is used of its value.
    """

    item: FieldsUsed = field(default_factory=FieldsUsed)
    lets: dict[int, tuple[ir.Node, FieldsUsed]] = field(default_factory=dict)

    def add(self, node: ir.Let | ir.Variable, wanted: FieldsUsed) -> None:
        """Add a use of a name."""
        if isinstance(node, ir.Let):
            self.lets.setdefault(node.number, (node.value, FieldsUsed()))[1].add(wanted)
        elif node.name == "item":
            self.item.add(wanted)

    def of_event(self) -> FieldsUsed:
        """What the expressions in `lets` use of the event, and so do those that they use."""
        used = FieldsUsed()
        while self.lets:  # an expression has a higher number than those that it uses
            value, wanted = self.lets.pop(max(self.lets))
            used.add(fields_used(value, wanted, self))
        return used


def fields_used(  # noqa: C901, PLR0911 - one for each kind of node
    node: ir.Node, wanted: FieldsUsed = WHOLE, names: NamesUsed | None = None
) -> FieldsUsed:
    """Find what an expression uses of the value it is evaluated on.

    What it uses of the envelope, `_change` or `_ce`, is found under the name `ENVELOPE`.

    Args:
        node: the expression, as `lower` made it.
        wanted: what is used of its result.
        names: where to add what is used of `$names`.
    """
    names = names or NamesUsed()
    match node:
        case ir.Field():
            return FieldsUsed(fields={node.name: wanted})
        case ir.Current():
            return wanted
        case ir.Literal() | ir.Kafka():
            return FieldsUsed()
        case ir.Envelope():
            return FieldsUsed(fields={ENVELOPE: wanted})
        case ir.Let() | ir.Variable():
            names.add(node, wanted)
            return FieldsUsed()
        case ir.Element():
            return FieldsUsed(items=wanted)
        case ir.Slice():
            return WHOLE
        case ir.Path():
            for step in reversed(node.steps):
                wanted = fields_used(step, wanted, names)
            return wanted
        case ir.Projection() if node.kind != "values":
            return _projected(node, names)
        case ir.Flatten():
            items = _spliced(WHOLE if wanted.whole else wanted.items or FieldsUsed())
            return fields_used(node.value, items, names)
    # Functions, comparisons, conditions, {...} and [...]: each operand counts as a whole. An && or || may return
    # one of them, and asks whether an object is empty.
    return _operands_used(ir.operands(node), names)


def _operands_used(operands: Iterable[ir.Node], names: NamesUsed) -> FieldsUsed:
    return _all(fields_used(operand, WHOLE, names) for operand in operands)


def _projected(node: ir.Projection, names: NamesUsed) -> FieldsUsed:
    """Find what a projection uses of its source."""
    # The result for an item is decoded whole: where an item is not an object, the library evaluates it on plain JSON.
    item = _operands_used(ir.operands(node)[1:], names)
    if not node.of_objects and (node.kind == "flat" or isinstance(node.source, ir.Flatten)):
        # Items of nested lists and items of the list end up in one list, and could have different struct types.
        item = WHOLE
    return fields_used(node.source, _spliced(item) if node.kind == "flat" else FieldsUsed(items=item), names)


def _spliced(item: FieldsUsed) -> FieldsUsed:
    """Find what is used of a list whose items are such values, or lists of them."""
    return FieldsUsed(items=_all([item, FieldsUsed(items=item)]))


def _all(several: Iterable[FieldsUsed]) -> FieldsUsed:
    together = FieldsUsed()
    for used in several:
        together.add(used)
    return together


_INTEGER = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_FLOAT = Annotated[float, Meta(gt=-1e16, lt=1e16)]
_SCALAR: Any = str | _INTEGER | _FLOAT | bool | None
_SHALLOW: Any = _SCALAR | list[_SCALAR] | dict[str, _SCALAR]
EXACT: Any = _SCALAR | list[_SHALLOW] | dict[str, _SHALLOW]
"""The values that orjson and msgspec encode to the same bytes: integers of 64 bits with a sign, and floats that are
written without exponent. Two levels of objects and lists, because msgspec has no recursive types."""


@dataclass(frozen=True, slots=True)
class StructType:
    """The type that a value is decoded to if only some of its fields are used; None stands for a value decoded whole.

    Attributes:
        made: the type of a decoded object; a field that the object lacks is None.
        empty: the decoded form of an object without fields.
        members: for each field's name, the attribute that holds it, and its own struct type.
        items: the struct type of each item, if it is a list.
        usual: whether it is for usual events.
    """

    made: type[msgspec.Struct]
    empty: msgspec.Struct
    members: dict[str, tuple[str, StructType | None]]
    items: StructType | None
    usual: bool = False

    @property
    def type(self) -> Any:
        """The type for msgspec: any JSON value, but of objects and lists only what is used."""
        if self.is_object:
            return Union[self.made, None]  # noqa: UP007 - made for msgspec
        items: Any = list
        if self.usual:
            return Union[items[self.items.item_type], None] if self.items else EXACT  # noqa: UP007 - the same
        if self.items is not None:
            items = items[self.items.type]
        return Union[self.made, items, str, int, float, bool, None]  # noqa: UP007 - made for msgspec

    @property
    def item_type(self) -> Any:
        """The type for msgspec of an item in a list."""
        return self.made if self.is_object else self.type

    @property
    def is_object(self) -> bool:
        """Whether the value is certain to be an object or null; as an item of a list, to be an object."""
        return self.usual and bool(self.members)


def struct_type_of(used: FieldsUsed, *, usual: bool = False) -> StructType | None:
    """Make the struct type of an event of which these fields are used; None to decode all of it.

    A decoder of its `made` refuses what the format's `decode` refuses. The two exceptions are in skipped parts: text
    that is not UTF-8, and numbers too large for a float.
    """
    return None if "_kafka" in used.fields else _struct_type(used.shape(), usual=usual)


@lru_cache(maxsize=KEPT)
def _struct_type(shape: Shape, *, usual: bool) -> StructType | None:
    whole, fields, items_shape = shape
    if whole:
        return None
    structs = {name: _struct_type(inner, usual=usual) for name, inner in fields}
    anything = EXACT if usual else Any
    members = {name: (anything if inner is None else inner.type, inner) for name, inner in structs.items()}
    items = None if items_shape is None else _struct_type(items_shape, usual=usual)
    return made_of(members, items, usual=usual)


def made_of(
    members: Mapping[str, tuple[Any, StructType | None]],
    items: StructType | None = None,
    *,
    usual: bool = False,
) -> StructType | None:
    """Make a struct type with members of these types; None if msgspec does not accept a name.

    Args:
        members: for each name, its type for msgspec and its own struct type; each may be absent.
        items: see `StructType`.
        usual: see `StructType`.
    """
    attributes = attributes_of(members)
    if attributes is None:
        return None
    made = msgspec.defstruct(
        "FieldsUsed",
        [(attributes[name], kind, None) for name, (kind, _) in members.items()],
        rename={attribute: name for name, attribute in attributes.items()},
        gc=False,  # decoded JSON has no reference cycles, so the collector need not track it
    )
    return StructType(
        made, made(), {name: (attributes[name], inner) for name, (_, inner) in members.items()}, items, usual
    )


def attributes_of(names: Iterable[str]) -> dict[str, str] | None:
    """The attribute of a struct for each field's name; None if msgspec does not accept one."""
    attributes = {name: _attribute(name, n) for n, name in enumerate(names)}
    return None if any(map(_MUST_BE_ESCAPED.search, attributes)) else attributes


_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MUST_BE_ESCAPED = re.compile(r'[\x00-\x1f"\\]')


def _attribute(name: str, number: int) -> str:
    return name if _PLAIN_NAME.fullmatch(name) and not keyword.iskeyword(name) else f"_{number}"


def plain(value: Any) -> Any:
    """Turn decoded structs back into plain JSON values; a field that was absent is null."""
    if isinstance(value, msgspec.Struct):
        names = value.__struct_encode_fields__
        return {
            name: plain(getattr(value, of)) for name, of in zip(names, value.__struct_fields__, strict=True)
        }
    return [plain(item) for item in value] if type(value) is list else value
