"""`lookup(table, key)`: the values of a mapping file's `tables`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.mapping.expressions.failures import ExpressionFailed, Mismatch

Table = Mapping[str, Any]
"""Values by their keys, all text. Values may be any JSON; they are never changed."""


def look_up(tables: Mapping[str, Table], name: Any, key: Any) -> Any:
    """The value of a key in a table that is named by the data.

    Raises:
        Mismatch: the name is not text, or the key neither text nor a whole number.
        ExpressionFailed: there is no such table.
    """
    if type(name) is not str:
        raise Mismatch
    if name not in tables:
        raise ExpressionFailed("lookup(): there is no table of that name")
    return in_table(tables[name], key)


def in_table(table: Table, key: Any) -> Any:
    """The value of a key, which is text or a whole number; None where the table does not have it.

    Raises:
        Mismatch: the key is neither.
    """
    if type(key) is str:
        return table.get(key)
    if type(key) is int or (type(key) is float and key.is_integer()):
        return table.get(str(int(key)))
    raise Mismatch


def in_table_or_null(table: Table, key: Any) -> Any:
    """As `in_table`, but null for any other key."""
    try:
        return in_table(table, key)
    except Mismatch:
        return None
