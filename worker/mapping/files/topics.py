"""Checks topic names and patterns."""

from __future__ import annotations

import re
from typing import Any

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
"""Kafka's topic names (`org.apache.kafka.common.internals.Topic`), which also exclude "." and ".."."""

_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]")


def is_topic_name(name: str) -> bool:
    """Whether Kafka allows a topic of this name."""
    return _NAME.fullmatch(name) is not None and name not in {".", ".."}


def is_pattern(topic: str) -> bool:
    """Whether this is a pattern rather than the name of one topic."""
    return topic.startswith("^")


def matches(topic: str, name: str) -> bool:
    """Whether a name or pattern of a mapping file covers the topic of this name."""
    return re.fullmatch(topic, name) is not None if is_pattern(topic) else topic == name


def topic_problem(topic: str) -> tuple[str, str | None] | None:
    """The problem with a name or pattern of `topics`, and a hint; None if it is valid."""
    if is_pattern(topic):
        return _pattern_problem(topic)
    if topic.endswith("$"):
        return f"the pattern '{topic}' lacks an anchor", f"^{topic}"
    if not is_topic_name(topic):
        hint = "letters, digits, '.', '_' and '-', at most 249; a pattern is written ^...$"
        return f"'{topic}' cannot be a topic's name", hint
    return None


def _pattern_problem(pattern: str) -> tuple[str, str | None] | None:
    if not pattern.endswith("$") or _ends_escaped(pattern):
        return f"the pattern '{pattern}' lacks an anchor", f"{pattern}$"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        reason = error.msg if isinstance(error, re.error) else "too large"
        return f"the pattern '{pattern}' does not compile: {reason}", None
    bare = _CLASS.sub("c", pattern)
    if "(?" in bare:
        # librdkafka uses the C library's POSIX expressions, which have no (?...).
        return (
            f"the pattern '{pattern}' has look-around, or another (?...)",
            "Kafka's clients do not support it",
        )
    if found := re.search(r"\\[a-zA-Z0-9]", pattern):
        return (
            f"the pattern '{pattern}' has {found[0]}",
            "not all Kafka clients support it: write [0-9] for \\d",
        )
    if _has_bare_alternatives(bare):
        return f"each anchor of '{pattern}' applies to one alternative only", f"^({pattern[1:-1]})$"
    return None


def _ends_escaped(pattern: str) -> bool:
    body = pattern[:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def _has_bare_alternatives(pattern: str) -> bool:
    """Whether there is a `|` outside of all parentheses."""
    depth = 0
    for character in re.sub(r"\\.", "c", pattern):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            return True
    return False


def sample(pattern: str) -> list[str]:
    """Some topic names that a pattern matches, enough to find most overlapping patterns."""
    names = {_example(re._parser.parse(pattern), more) for more in (0, 1, 2)}  # type: ignore[attr-defined]  # noqa: SLF001 - the only reader of patterns in the library
    return sorted(name for name in names if re.fullmatch(pattern, name))


def _example(parsed: Any, more: int) -> str:
    """A string for a parsed pattern; `more` varies repetitions and alternatives."""
    return "".join(_one(str(kind), value, more) for kind, value in parsed)


def _one(kind: str, value: Any, more: int) -> str:  # noqa: PLR0911 - one return for each kind
    match kind:
        case "LITERAL":
            return chr(value)
        case "ANY" | "NOT_LITERAL":
            return "abx"[more]
        case "IN":
            return _of_class(value, more)
        case "BRANCH":
            return _example(value[1][min(more, len(value[1]) - 1)], more)
        case "SUBPATTERN":
            return _example(value[-1], more)
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, repeated = value
            return _example(repeated, more) * min(max(int(least), more), int(most))
    return ""


def _of_class(items: Any, more: int) -> str:
    kind, value = items[min(more, len(items) - 1)]
    if str(kind) == "RANGE":
        return chr(min(value[0] + more, value[1]))
    return chr(value) if str(kind) == "LITERAL" else "abx"[more]
