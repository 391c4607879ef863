"""Envelopes: fixtures as rules see them, and what `_change` and `_ce` do not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from worker.core.near_matches import closest
from worker.core.reasons import Rejected
from worker.documents.document import Document
from worker.documents.problems import Problem
from worker.formats.envelopes.debezium import OPERATIONS
from worker.formats.envelopes.envelopes import BY_ROOT, ENVELOPES, envelope_of
from worker.formats.envelopes.unwrapped import Envelope
from worker.formats.formats import FORMATS
from worker.formats.keys import key_format, written_key
from worker.mapping.expressions.interpreter import ENVELOPE
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint.misspelt import misspelt
from worker.mapping.files.lint.samples import Sample
from worker.mapping.files.lint.spots import Spot, walk

_OTHER_WORDS = {
    **OPERATIONS,
    "i": "create",
    "insert": "create",
    "inserted": "create",
    "created": "create",
    "updated": "update",
    "deleted": "delete",
    "remove": "delete",
    "snapshot": "read",
}
"""What people write for an operation, in lower case, and the word for it here."""


def envelope_in(document: Document) -> Envelope | None:
    """The file's envelope; None for none, and for a wrong word."""
    data = document.data if isinstance(document.data, dict) else {}
    word = data.get("envelope")
    if not isinstance(word, str) or word not in ENVELOPES:
        return None
    return envelope_of(word, send_snapshots=data.get("snapshot") == "send")


def key_format_in(document: Document) -> str | None:
    """The format of the keys of the file's topics; None for text, and for a wrong word."""
    data = document.data if isinstance(document.data, dict) else {}
    word = data.get("key_format")
    given = word if isinstance(word, str) and word in FORMATS else None
    return key_format(given, data.get("format", "json"), envelope_in(document))


def unwrapped(document: Document, samples: Sequence[Sample]) -> list[Sample]:
    """The fixtures' records as the file decodes them: keys, and values without their envelope.

    Those that no rule sees are left out.
    """
    envelope, keys = envelope_in(document), written_key(key_format_in(document))
    if keys is not None:
        samples = [_with_key(keys.decode_any, envelope, sample) for sample in samples]
    if envelope is None:
        return list(samples)
    return [found for sample in samples if (found := _without(envelope, sample)) is not None]


def _with_key(decode: Callable[[bytes], Any], envelope: Envelope | None, sample: Sample) -> Sample:
    """A record with its key decoded; None for one that cannot be."""
    key = sample.kafka["key"]
    try:
        found = None if key is None else decode(key.encode())
    except Rejected:
        found = None
    return replace(sample, kafka=sample.kafka | {"key": envelope.key(found) if envelope else found})


def _without(envelope: Envelope, sample: Sample) -> Sample | None:
    named = sample.kafka["headers"] or {}
    headers = [(name, None if text is None else text.encode()) for name, text in named.items()]
    try:
        found = (
            envelope.of_tombstone(headers) if sample.event is None else envelope.unwrap(sample.event, headers)
        )
    except Rejected:
        return None
    if found.ignored is not None:
        return None
    kafka = sample.kafka | {"tombstone": found.tombstone, ENVELOPE: found.about}
    return replace(sample, event=None if found.tombstone else found.event, kafka=kafka)


def envelope_findings(spot: Spot, known: frozenset[str]) -> Iterator[Problem]:
    """`_change.op == 'c'`, `_change.opp`, and `_change.op` in a file without the envelope.

    Args:
        spot: the expression.
        known: every field's name in the fixtures.
    """
    envelope = envelope_in(spot.document)
    for node in walk(spot.node):
        children = node["children"] if node["type"] == "subexpression" else []
        if children and children[0]["type"] == "envelope" and envelope is not None:
            yield from _no_such_field(spot, children[1], envelope, known)
        elif node["type"] == "field" and node["value"] in BY_ROOT and node["value"] not in known:
            hint = f"envelope: {BY_ROOT[node['value']]}"
            yield spot.warning(f"`{node['value']}` is there only with `{hint}`", node["start"], hint)
        elif node["type"] == "comparator":
            yield from _no_operation(spot, node)


def _no_such_field(spot: Spot, name: Node, envelope: Envelope, known: frozenset[str]) -> Iterator[Problem]:
    written = name.get("value")
    if name["type"] != "field" or written in envelope.fields:
        return
    near = next((each for each in envelope.fields if misspelt(str(written), each)), None)
    if envelope.root == "_ce" and (near is None or written in known):
        return  # an extension
    hint = f"did you mean '{near}'?" if near else f"it has {', '.join(envelope.fields)}"
    yield spot.warning(f"{envelope.root} has no '{written}'", name["start"], hint)


def _no_operation(spot: Spot, comparison: Node) -> Iterator[Problem]:
    """A comparison of `_change.op` with a text that it never is."""
    sides = comparison["children"]
    if not any(map(_is_operation, sides)):
        return
    for side in sides:
        if side["type"] == "literal" and side["value"] not in OPERATIONS.values():
            written = str(side["value"])
            meant = _OTHER_WORDS.get(written.lower()) or closest(written, OPERATIONS.values())
            hint = f"write '{meant}'" if meant else None
            words = ", ".join(OPERATIONS.values())
            yield spot.warning(f"`_change.op` is one of {words}", side["start"], hint)


def _is_operation(node: Node) -> bool:
    names = [child.get("value") for child in node["children"]] if node["type"] == "subexpression" else []
    return names == ["_change", "op"] and node["children"][0]["type"] == "envelope"
