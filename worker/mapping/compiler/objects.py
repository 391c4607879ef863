"""Objects in generated code: which names hold one, and how Python reads their fields.

An object is a dict, or a struct where it was decoded in parts (`reading.Form`). What is found out of a name is
remembered in the `Code`, so that nothing is tested twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.mapping.compiler.decoder import plain

if TYPE_CHECKING:
    from worker.mapping.compiler.decoder import Form
    from worker.mapping.compiler.source import Code

EMPTY: dict[str, object] = {}
"""Stands in for a value that has no fields because it is no object. Nobody changes it."""

_NUMBERED = re.compile(r"_\d+$")


class Objects:
    """What is known of the values in one function under construction."""

    def __init__(self, code: Code) -> None:
        self._code = code

    def known(self, name: str) -> None:
        """From here to the end of this block, the name holds an object."""
        self._code.remember(_as_object(name), name)

    def is_known(self, name: str) -> bool:
        """Whether the name is known to hold an object."""
        return self._code.recall(_as_object(name)) == name

    def name(self, at: str) -> str:
        """A name that holds `at` if that is an object, else an empty one: it can be asked for any field."""
        known = self._code.recall(_as_object(at))
        if known is None:
            form = self._code.forms.get(at)
            empty = self._code.constant(form.empty if form else EMPTY, "empty")
            text = f"{at} if type({at}) is {self.type(at)} else {empty}"
            known = self._code.share(text, _NUMBERED.sub("", at))
            self._code.remember(_as_object(at), known)
        return known

    def type(self, at: str) -> str:
        """The Python type of `at` if it is an object."""
        form = self._code.forms.get(at)
        return self._code.constant(form.made, "parts") if form else "dict"

    def field(self, name: str, at: str) -> str:
        """A Python expression for a field of `at`; null where there is none."""
        form = self._code.forms.get(at)
        if form is None:
            text = f"{self.name(at)}.get({name!r})"
        else:
            attribute, inner = form.members[name]
            text = f"{self.name(at)}.{attribute}"
            self.has_form(text, inner)
        return self._code.recall(text) or text

    def has_form(self, text: str, form: Form | None) -> None:
        """What this name or Python expression gives was decoded to this form."""
        if form is not None:
            self._code.forms[text] = form

    def same_form(self, text: str, other: str) -> None:
        """What this gives was decoded as that."""
        self.has_form(text, self._code.forms.get(other))

    def item_of(self, text: str, items: str) -> None:
        """What this gives was decoded as an item of that."""
        form = self._code.forms.get(items)
        self.has_form(text, form.items if form else None)

    def plain(self, at: str) -> str:
        """A Python expression for `at` as plain JSON, which the library takes."""
        return f"{self._code.constant(plain, 'plain')}({at})" if at in self._code.forms else at


def _as_object(name: str) -> str:
    return f"object {name}"
