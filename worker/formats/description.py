"""What a schema says of values, whatever language it is written in.

Schemas of each format are turned into this one form, and the checks of mapping files against schemas read nothing else.
It describes JSON values as rules see them, so that a decimal or a date is text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

TEXT, NUMBER, BOOLEAN, LIST, OBJECT = KINDS = ("a string", "a number", "a boolean", "a list", "an object")
"""The types of JSON values other than null, in words."""


@dataclass(slots=True, eq=False)
class Branch:
    """One type of value. A recursive type refers to itself: its fields are added after it was made.

    Attributes:
        kind: one of `KINDS`.
        fields: the fields that an object has, by name.
        rest: what all other fields of an object are; None if it has no others.
        items: what the items of a list are; None if that is not known.
        words: the only texts that it can be, of an enum; None for any text.
        sample: a text that it can be, where all its texts have one form: that of dates, or of decimals.
    """

    kind: str
    fields: dict[str, Description] = field(default_factory=dict)
    rest: Description | None = None
    items: Description | None = None
    words: frozenset[str] | None = None
    sample: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What a value can be.

    Attributes:
        branches: the types that it can have, apart from null.
        optional: whether it can be null.
    """

    branches: tuple[Branch, ...]
    optional: bool = False

    @property
    def kinds(self) -> frozenset[str]:
        """The types that it can have, in words."""
        return frozenset(branch.kind for branch in self.branches)

    @property
    def names(self) -> list[str]:
        """The fields that it can have, if it is an object."""
        return [*{name: None for branch in self.branches for name in branch.fields}]

    @property
    def words(self) -> frozenset[str] | None:
        """The only texts that it can be; None for any text, or if it cannot be text."""
        texts = [branch.words for branch in self.branches if branch.kind == TEXT]
        return frozenset().union(*(words or () for words in texts)) if texts and None not in texts else None

    def field(self, name: str) -> Description | None:
        """What a field is, in the branches that have it; None if no branch does."""
        objects = [branch for branch in self.branches if branch.kind == OBJECT]
        found = [each for branch in objects if (each := branch.fields.get(name, branch.rest)) is not None]
        return either(found, optional=len(found) < len(objects)) if found else None

    def values(self) -> Description | None:
        """What the fields of an object are, all together; None if that is not known."""
        objects = [branch for branch in self.branches if branch.kind == OBJECT]
        named = [each for branch in objects for each in branch.fields.values()]
        found = [*named, *(branch.rest for branch in objects if branch.rest is not None)]
        return either(found) if found else None

    def items(self) -> Description | None:
        """What the items of a list are; None if that is not known."""
        found = [branch.items for branch in self.branches if branch.kind == LIST]
        known = [each for each in found if each is not None]
        return either(known) if known and len(known) == len(found) else None


def of(*kinds: str) -> Description:
    """A value of one of these types, of which nothing else is known."""
    return Description(tuple(map(Branch, kinds)))


def text(sample: str) -> Description:
    """Texts that all have the form of this one."""
    return Description((Branch(TEXT, sample=sample),))


def enum_of(words: Iterable[str]) -> Description:
    """One of these texts."""
    return Description((Branch(TEXT, words=frozenset(words)),))


def list_of(items: Description | None) -> Description:
    """A list of such items."""
    return Description((Branch(LIST, items=items),))


def map_of(values: Description) -> Description:
    """An object with any fields, all of which are such values."""
    return Description((Branch(OBJECT, rest=values),))


def object_of(fields: dict[str, Description]) -> Description:
    """An object with these fields."""
    return Description((Branch(OBJECT, fields),))


def optional(described: Description) -> Description:
    """The same, or null."""
    return described if described.optional else Description(described.branches, optional=True)


def either(given: Iterable[Description], *, optional: bool = False) -> Description:
    """A value that is one of several: of a union, or after one of several versions. Of none: null."""
    every = list(given)
    branches = {id(branch): branch for each in every for branch in each.branches}
    null = optional or not every or any(each.optional for each in every)
    return Description(tuple(branches.values()), null)


def _anything() -> Description:
    branches = tuple(map(Branch, KINDS))
    found = Description(branches, optional=True)
    for branch in branches:
        branch.rest = branch.items = found
    return found


ANYTHING = _anything()
"""Any JSON value."""

DECIMAL, DATE, TIME_OF_DAY, TIMESTAMP, DURATION = map(
    text, ("12.50", "2026-11-21", "10:00:00Z", "2026-11-21T10:00:00Z", "PT1H")
)
"""Texts of one form."""


def of_value(value: Any) -> Description:
    """What a literal is."""
    match value:
        case bool():
            return of(BOOLEAN)
        case int() | float():
            return of(NUMBER)
        case str():
            return text(value)
        case list():
            return list_of(either(map(of_value, value)) if value else None)
        case dict():
            return object_of({name: of_value(item) for name, item in value.items()})
    return either(())
