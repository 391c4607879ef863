"""Objects in generated code: which names hold one, and how Python reads their fields.

An object is a dict, or a struct where it was decoded to one (`decoder.StructType`). What is known about a name is
remembered in the `Code`, so that no type is tested twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.mapping.compiler.decoder import StructType
    from worker.mapping.compiler.source import Code

EVENT = "event"
KAFKA = "kafka"
ABOUT = "about"
"""The converter's locals for the event, for `_kafka`, and for what the envelope says (`_change`, `_ce`)."""

ENVELOPE_ID = "own_id"
"""The converter's local for the event's id in its envelope, in UTF-8, for calls that have no other `messageId`; None
where the envelope has none. Only for envelopes that have a default for it."""

EMPTY: dict[str, object] = {}
"""Read in place of a value that is not an object and so has no fields. Never changed."""

_NUMBERED = re.compile(r"_\d+$")


class Objects:
    """What is known about the values in one function under construction."""

    def __init__(self, code: Code) -> None:
        self._code = code

    def known(self, name: str) -> None:
        """From here to the end of this block, the name holds an object."""
        self._code.remember(_as_object(name), name)

    def is_known(self, name: str) -> bool:
        """Whether the name is known to hold an object."""
        return self._code.recall(_as_object(name)) == name

    def name(self, at: str) -> str:
        """A name for `at` if that is an object, else for an empty object, so that any field can be read."""
        known = self._code.recall(_as_object(at))
        if known is None:
            struct = self._code.structs.get(at)
            empty = self._code.constant(struct.empty if struct else EMPTY, "empty")
            found = f"{at} is not None" if self._is_usual(at) else f"type({at}) is {self.type(at)}"
            text = f"{at} if {found} else {empty}"
            known = self._code.share(text, _NUMBERED.sub("", at))
            self._code.remember(_as_object(at), known)
        return known

    def type(self, at: str) -> str:
        """The Python type of `at` if it is an object."""
        struct = self._code.structs.get(at)
        return self._code.constant(struct.made, "struct") if struct else "dict"

    def field(self, name: str, at: str) -> str:
        """A Python expression for a field of `at`; null where there is none."""
        struct = self._code.structs.get(at)
        if struct is None:
            text = f"{self.name(at)}.get({name!r})"
        else:
            attribute, inner = struct.members[name]
            text = f"{self.name(at)}.{attribute}"
            self.has_struct(text, inner)
        return self._code.recall(text) or text

    def has_struct(self, text: str, struct: StructType | None) -> None:
        """Remember that this name or Python expression has this struct type."""
        if struct is not None:
            self._code.structs[text] = struct

    def same_struct(self, text: str, other: str) -> None:
        """Remember that one name or Python expression has the struct type of another."""
        self.has_struct(text, self._code.structs.get(other))

    def item_of(self, text: str, items: str) -> None:
        """Remember that one name or Python expression is an item of another."""
        struct = self._code.structs.get(items)
        self.has_struct(text, struct.items if struct else None)

    def known_item(self, item: str) -> bool:
        """Whether the items of a list are known to be objects; then remember so of one."""
        if self._is_usual(item):
            self.known(item)
        return self._is_usual(item)

    def _is_usual(self, at: str) -> bool:
        return at in self._code.structs and self._code.structs[at].is_object


def _as_object(name: str) -> str:
    return f"object {name}"
