"""The values that the parts of a condition can have.

A *term* is a part that is looked at as a whole: a path, a call of a function, anything that is no `&&`, `||`, `!` or
comparison. A condition's truth depends on a term only by the few values that it compares it with, so a small domain
for each term stands for everything that an event can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from worker.mapping.expressions.parser import Node, contains
from worker.mapping.files.lint.names import path_text

ABORT = object()
"""In a domain: a function was given what it cannot take, which makes the whole expression null."""

OTHER, ANOTHER = "\x001", "\x002"
"""In a domain: texts that are not literals of the mapping; without letters, so that no function changes them."""

_LOGICAL = frozenset({"or_expression", "and_expression", "not_expression", "comparator", "literal"})
_ORDERING = frozenset({"lt", "lte", "gt", "gte"})

_RETURNS: tuple[tuple[type, str], ...] = (
    (
        str,
        "lower upper trim join replace sha256 to_string rfc3339 substring pad_left replace_regex base64_encode",
    ),
    (str, "base64_decode url_decode md5 hmac_sha256 format_number parse_time format_time add_time date"),
    (int, "length epoch_seconds"),
    (float, "abs avg ceil floor sum add subtract multiply divide round"),
    (bool, "starts_with ends_with contains matches"),
    (list, "keys values split sort to_array map to_entries"),
    (dict, "merge pick omit from_entries"),
)
RETURNED: dict[str, type] = {name: kind for kind, names in _RETURNS for name in names.split()}
"""What functions return that always return the same type."""

_HOLDS = {
    "lower": lambda value: value == value.lower(),
    "upper": lambda value: value == value.upper(),
    "trim": lambda value: value == value.strip(),
    "length": lambda value: value >= 0,
    "abs": lambda value: value >= 0,
}
"""What is true of all values that a function returns."""

TYPE_NAMES = ("string", "number", "boolean", "array", "object", "null")
"""What `type` returns."""

_NEVER_ABORTS = frozenset({"type", "to_string", "to_array", "to_number"})
_KAFKA_TEXTS = frozenset({"_kafka.key", "_kafka.timestamp"})
_KAFKA_NUMBERS = frozenset({"_kafka.partition", "_kafka.offset"})


def is_term(node: Node) -> bool:
    """Whether a part of a condition is looked at as a whole.

    A comparison of two terms is one, but for a term with itself: what each can be says nothing of whether they agree.
    """
    if node["type"] != "comparator":
        return node["type"] not in _LOGICAL
    left, right = node["children"]
    if "literal" in (left["type"], right["type"]):
        return False
    return not (is_term(left) and is_term(right) and term_key(left) == term_key(right))


def term_key(node: Node) -> str:
    """The same for terms that always have the same value."""
    path = path_text({**node, "quoted": False}) if node["type"] == "field" else path_text(node)
    return path or str(_bare(node))


def _bare(node: Node) -> Any:
    children = [] if node["type"] == "slice" else [_bare(child) for child in node["children"]]
    return (
        node["type"],
        repr(node.get("value")),
        str(node["children"]) if node["type"] == "slice" else children,
    )


def term_uses(node: Node) -> dict[str, tuple[Node, set[str], list[Any]]]:
    """Every term of a condition: its node, how it is used (`truth`, `equal`, `order`), and with which literals."""
    uses: dict[str, tuple[Node, set[str], list[Any]]] = {}
    _gather(node, "truth", [], uses)
    return uses


def _gather(
    node: Node, use: str, literals: list[Any], uses: dict[str, tuple[Node, set[str], list[Any]]]
) -> None:
    if is_term(node):
        _, ways, compared = uses.setdefault(term_key(node), (node, set(), []))
        ways.add(use)
        compared += literals
    elif node["type"] == "comparator":
        how = "order" if node["value"] in _ORDERING else "equal"
        values = [child["value"] for child in node["children"] if child["type"] == "literal"]
        for child in node["children"]:
            _gather(child, how, values, uses)
    else:
        for child in node["children"]:
            _gather(child, use, literals, uses)
            if use != "truth":
                _gather(child, "truth", [], uses)


def domain(node: Node, ways: set[str], literals: Sequence[Any], topics: Sequence[str] | None) -> list[Any]:
    """Values that stand for everything that a term can have.

    Args:
        node: the term.
        ways: how it is used.
        literals: what it is compared with.
        topics: what `_kafka.topic` can be; None if that is not known.
    """
    key = term_key(node)
    if key == "_kafka.topic" and topics is not None:
        return list(topics)
    if key == "_kafka":
        return [{"topic": ""}]
    if node["type"] == "comparator":
        return [True, False, None, *_abort(node)]
    name = node["value"] if node["type"] == "function_expression" else None
    if name == "type":
        return [*TYPE_NAMES, *_abort(node)]
    values = _values(ways, literals)
    wanted = str if key in _KAFKA_TEXTS else int if key in _KAFKA_NUMBERS else RETURNED.get(str(name))
    if wanted is not None:
        values = [value for value in [*values, *_SOME[wanted]] if _is(value, wanted)]
        values = [value for value in values if name not in _HOLDS or _HOLDS[name](value)]
    if key in _KAFKA_TEXTS:
        values.append(None)
    return _distinct([*values, *_abort(node)])


def _values(ways: set[str], literals: Sequence[Any]) -> list[Any]:
    values: list[Any] = [None, OTHER, *literals]
    if "equal" in ways:
        values += [ANOTHER, False, True]
    if "order" in ways:
        numbers = sorted({value for value in literals if _is(value, float)})
        values += [numbers[0] - 1, numbers[-1] + 1] if numbers else [0, 1]
        values += [(low + high) / 2 for low, high in pairwise(numbers)]
        texts = sorted(value for value in literals if isinstance(value, str))
        values += ["", *(text + "\x00" for text in texts), "\U0010ffff" * 3]
    return values


_SOME: dict[type, list[Any]] = {
    str: ["", OTHER],
    list: [[], [None]],
    dict: [{}, {"": None}],
    bool: [False, True],
    int: [0, 1, 2],
    float: [0, 1, 2],
}
"""Some values of each type, true ones and false ones."""


def _is(value: Any, wanted: type) -> bool:
    if wanted is int:
        return type(value) is int or (type(value) is float and value.is_integer())
    if wanted is float:
        return type(value) in (int, float)
    return type(value) is wanted


def _abort(node: Node) -> list[Any]:
    if not contains(node, "function_expression"):
        return []
    inner = any(contains(child, "function_expression") for child in node["children"])
    safe = node["type"] == "function_expression" and node["value"] in _NEVER_ABORTS and not inner
    return [] if safe else [ABORT]


def _distinct(values: list[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for value in values:
        found.setdefault("abort" if value is ABORT else repr(value), value)
    return list(found.values())
