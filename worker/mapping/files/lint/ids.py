"""Ids of a call that are given by the same expression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from worker.documents.document import Document, Path
from worker.documents.problems import Problem
from worker.mapping.calls.specs import CALLS
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint.spots import Spot, calls_of, walk
from worker.mapping.files.lint.terms import term_key

_OF_MANY = ("userId", "anonymousId", "groupId")
"""Ids of what has many events; a message id of theirs would be the same for all of them."""

_ONCE = frozenset({"delete_user", "suppress_user", "unsuppress_user", "alias", "delete_object"})
"""Calls that are made once for a person or an object, so that its id may serve as the message's."""

_ONLY_ONCE = re.compile(
    r"sign(?:ed|s)?[ _.-]?up|regist|join|activat|onboard|enrol|welcom|invit|born|birth|died|death",
    re.IGNORECASE,
)
"""Words, in the names of events, for what happens to a person once."""

_ONCE_TO_A_PERSON = re.compile(
    r"first|creat|open|clos|delet|eras|verif|confirm|convert|subscri|graduat|started", re.IGNORECASE
)
"""Words for what happens once to whatever stands beside them."""

_PERSONS = re.compile(r"user|customer|account|person|profile|contact", re.IGNORECASE)


def id_findings(document: Document, spots: Sequence[Spot]) -> Iterator[Problem]:
    """An alias of an id to itself; a message id that is the person's or the group's."""
    found = [
        problem for rule, path, call in calls_of(document) for problem in _of_call(rule, path, call, spots)
    ]
    yield from dict.fromkeys(found)  # once for a default that several calls have


def _of_call(rule: int, path: Path, call: dict[str, Any], spots: Sequence[Spot]) -> Iterator[Problem]:
    own = {
        str(spot.path[-1]): spot
        for place in (("defaults",), path[:2], path)
        for spot in spots
        if spot.path[:-1] == place and spot.path[-1] in CALLS[call["call"]].fields
    }
    when = [spot for spot in spots if spot.rule == rule and spot.is_condition]
    if same := _same_as(own, "previousId", ("userId",)):
        message = "previousId is the same expression as userId: nothing would be merged"
        yield same.warning(message, 0, "previousId is the old id, userId the new one")
    yield from _constant(own, when)
    same = _same_as(own, "messageId", _OF_MANY)
    if same and not _is_once(same, call, when):
        message = f"messageId is the same for every event of {same.text.strip()}: only the first is stored"
        hint = "messageId is the event's own unique id; without it one is made from the record's coordinates"
        yield same.warning(message, 0, hint)


def _constant(own: dict[str, Spot], when: Sequence[Spot]) -> Iterator[Problem]:
    """`messageId: type` under `when: type == 'order.paid'`: the same for every event of the rule."""
    asked = {term_key(path): text for spot in when for path, text in _asked_for(spot.node)}
    for name in ("userId", "anonymousId", "messageId"):
        text = asked.get(term_key(own[name].node)) if name in own else None
        if text is not None:
            yield own[name].warning(
                f"{name} is '{text}' for every event of this rule", 0, "write the field with the id"
            )


def _asked_for(node: Node) -> Iterator[tuple[Node, str]]:
    """The paths that must have one text for a condition to be true, with that text."""
    for each in node["children"] if node["type"] == "and_expression" else [node]:
        if each["type"] == "comparator" and each["value"] == "eq":
            left, right = each["children"]
            path, literal = (right, left) if left["type"] == "literal" else (left, right)
            if (
                literal["type"] == "literal"
                and isinstance(literal["value"], str)
                and path["type"] != "literal"
            ):
                yield path, literal["value"]


def _same_as(own: dict[str, Spot], name: str, others: Sequence[str]) -> Spot | None:
    """The expression of this name, if one of the others is the same and reads anything of the event."""
    spot = own.get(name)
    if spot is None or not any(node["type"] in ("field", "kafka") for node in walk(spot.node)):
        return None
    same = (other in own and term_key(own[other].node) == term_key(spot.node) for other in others)
    return spot if any(same) else None


def _is_once(spot: Spot, call: dict[str, Any], when: Sequence[Spot]) -> bool:
    """Whether the call, or what the rule looks for, happens once to who has the id."""
    if call["call"] in _ONCE:
        return True
    words = " ".join([str(call.get("event", "")), *(each.text for each in when)])
    if _ONLY_ONCE.search(words):
        return True
    subject = spot.text.strip().partition(".")[0].lower()
    return bool(_ONCE_TO_A_PERSON.search(words)) and (
        subject in words.lower() or bool(_PERSONS.search(words))
    )
