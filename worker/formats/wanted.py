"""What rules want of a value, read from the struct types that the compiler makes.

The compiler describes the fields that rules use as a `msgspec.Struct`, whose members may be structs, lists of them, or
anything. msgspec decodes JSON to it; a decoder of another format makes objects of these types itself, or dicts where
nothing narrower is wanted.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, field, replace
from typing import Any, Union, get_args, get_origin

import msgspec


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a value.

    Attributes:
        made: the type to make of an object; None for a dict with all fields.
        fields: what is wanted of each field of `made`, by the name in the data, in the order of its parameters.
        items: what is wanted of each item, if the value is a list; None for all of it.
        accepts: the JSON types that the value may have, `dict` for objects; None for any. A decoder rejects others.
        event: whether it is an event, and so rejected with `NOT_AN_OBJECT` if it is not an object.
    """

    made: type[msgspec.Struct] | None = None
    fields: dict[str, Wanted] = field(default_factory=dict)
    items: Wanted | None = None
    accepts: frozenset[type] | None = None
    event: bool = False

    @property
    def whole(self) -> bool:
        """Whether all of the value is wanted, as plain JSON values."""
        return self.made is None and self.items is None


WHOLE = Wanted()

_EVERY_TYPE = frozenset({dict, list, str, int, float, bool, type(None)})


def wanted_event(struct_type: type[msgspec.Struct] | None) -> Wanted:
    """What is wanted of an event.

    Args:
        struct_type: see `Format.emit`.
    """
    found = WHOLE if struct_type is None else wanted(struct_type)
    return replace(found, accepts=frozenset({dict}), event=True)


def wanted(type_: Any) -> Wanted:
    """What is wanted of a value of which this type is made."""
    made: type[msgspec.Struct] | None = None
    items: Wanted | None = None
    accepts: set[type] = set()
    for each in get_args(type_) if get_origin(type_) in {Union, types.UnionType} else (type_,):
        if each is Any:
            return WHOLE
        if get_origin(each) is list:
            items = wanted(get_args(each)[0])
            accepts.add(list)
        elif issubclass(each, msgspec.Struct):
            made = each
            accepts.add(dict)
        else:
            accepts.add(each)
    return Wanted(
        made,
        {each.encode_name: wanted(each.type) for each in msgspec.structs.fields(made)} if made else {},
        None if items is None or items.whole else items,
        None if accepts >= _EVERY_TYPE else frozenset(accepts),
    )
