"""Which field tells the kinds of events of a topic apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from worker.mapping.drafting.made_up import UUID
from worker.mapping.drafting.sample import FieldPath, Sample, joined, scalar_paths

MAX_KINDS = 50

_NAMES = [
    "eventtype",
    "eventname",
    "type",
    "event",
    "kind",
    "messagetype",
    "eventkind",
    "ghevent",
    "githubevent",
    "shopifytopic",
    "topic",
    "action",
    "operation",
    "op",
]
"""Names of fields that tell kinds apart, the best first. A name also counts without a leading `x` or `ce`."""

_WORD = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_ID = re.compile(r"[0-9._/-]*|[0-9A-HJKMNP-TV-Z]{26}|(?=.*[0-9])[0-9a-fA-F]{12,}|.*[0-9]{5,}.*")
"""Numbers, ULIDs, hexadecimal digits, and anything that contains a long number."""

_MAX_LEVELS = 3


def kind_field(samples: Sequence[Sample]) -> FieldPath | None:
    """The field whose value is the kind of each event; None if no field tells kinds apart.

    It has at most `MAX_KINDS` values, each seen at least twice, and each one word that is not an id.
    """
    headers = {("_kafka", "headers", name) for sample in samples for name in sample.headers}
    paths = [path for path in scalar_paths(samples) if len(path) <= _MAX_LEVELS]
    candidates = [path for path in [*paths, *sorted(headers)] if _rank(path) is not None]
    candidates.sort(key=lambda path: (1 if path[0] == "_kafka" else len(path), _rank(path)))
    found = [path for path in candidates if tells_kinds(samples, path)]
    # A field that is the same in all events, such as a user's `type`, is better than none.
    several = [path for path in found if len({sample.find(path) for sample in samples}) > 1]
    return next(iter(several or found), None)


def _rank(path: FieldPath) -> int | None:
    name = joined(path[-1])
    for known in (name, name.removeprefix("x"), name.removeprefix("ce")):
        if known in _NAMES:
            return _NAMES.index(known)
    return None


def tells_kinds(samples: Sequence[Sample], path: FieldPath) -> bool:
    """Whether the values of a field are kinds, as `kind_field` says."""
    values = Counter[Any](
        value if isinstance(value := sample.find(path), str) else None for sample in samples
    )
    return (
        None not in values
        and len(values) <= MAX_KINDS
        and min(values.values()) > 1
        and all(_WORD.fullmatch(value) and not is_id(value) for value in values)
    )


def is_id(text: str) -> bool:
    """Whether a word looks like an id."""
    return bool(_ID.fullmatch(text) or UUID.fullmatch(text))
