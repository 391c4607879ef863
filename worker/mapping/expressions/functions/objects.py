"""Functions of objects: some of their keys, and keys that the data names."""

from __future__ import annotations

from typing import Any

from worker.mapping.expressions import text_length
from worker.mapping.expressions.failures import Mismatch
from worker.mapping.expressions.functions.arguments import object_of, texts_of
from worker.mapping.expressions.functions.function import Function


def pick(value: object, names: object) -> dict[str, Any]:
    """The object with only those of these keys that it has."""
    whole, wanted = object_of(value), texts_of(names)
    text_length.count("pick", len(wanted))
    return {name: whole[name] for name in wanted if name in whole}


def omit(value: object, names: object) -> dict[str, Any]:
    """The object without these keys."""
    whole, unwanted = object_of(value), frozenset(texts_of(names))
    text_length.count("omit", len(whole))
    return {name: each for name, each in whole.items() if name not in unwanted}


def to_entries(value: object) -> list[dict[str, Any]]:
    """A list of the object's keys and values."""
    whole = object_of(value)
    text_length.count("to_entries", len(whole) * len("keyvalue"))
    return [{"key": name, "value": each} for name, each in whole.items()]


def from_entries(entries: object) -> dict[str, Any]:
    """The object that a list of keys and values describes; if a key occurs twice, the last one wins."""
    if type(entries) is not list:
        raise Mismatch
    text_length.count("from_entries", len(entries))
    return {_key(entry): entry.get("value") for entry in entries}


def _key(entry: object) -> str:
    key = object_of(entry).get("key")
    if type(key) is int:
        return str(key)
    if type(key) is not str:
        raise Mismatch
    return key


FUNCTIONS = (
    Function(
        "pick(object, names)",
        "The object with only those of these keys that it has.",
        """pick(`{"a": 1, "b": 2}`, ['a', 'c'])""",
        '{"a": 1}',
        pick,
    ),
    Function(
        "omit(object, names)",
        "The object without these keys.",
        """omit(`{"a": 1, "b": 2}`, ['a', 'c'])""",
        '{"b": 2}',
        omit,
    ),
    Function(
        "to_entries(object)",
        "The object's keys and values as a list, to filter and project.",
        """to_entries(`{"a": 1}`)""",
        '[{"key": "a", "value": 1}]',
        to_entries,
    ),
    Function(
        "from_entries(list)",
        "The object that a list of `{key: ..., value: ...}` describes; if a key occurs twice, the last one wins.",
        """from_entries(`[{"key": "plan", "value": "pro"}]`)""",
        '{"plan": "pro"}',
        from_entries,
        wrong_type="Null, any other type, and an entry whose `key` is neither text nor a whole number: null.",
    ),
)
