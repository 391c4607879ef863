"""Words that were meant as text or as a boolean, and event names that were meant as expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from worker.documents.document import Document
from worker.documents.problems import Problem
from worker.mapping.expressions import functions
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import PATH, filled
from worker.mapping.files.lint.names import operands, path_text
from worker.mapping.files.lint.spots import Spot, calls_of, walk

if TYPE_CHECKING:
    from worker.mapping.files.lint.samples import Sample
    from worker.mapping.files.lint.watching import Watched

_CURRENCIES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
    CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
    LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
    NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
    STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF
    XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905 - a list of 150 lines otherwise
)
"""The alphabetic codes of ISO 4217 for money in use."""

_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""What YAML 1.1 reads as booleans; YAML 1.2, and so a mapping file, does not."""

_NAMING = frozenset(
    {"type", "name", "event", "kind", "action", "event_type", "event_name", "eventtype", "eventname"}
)
"""What the fields that tell the kind of an event are called, in lower case."""

_PLACEHOLDER = re.compile(r"(?:\{\{|\$\{|#\{|\{)(\s*[A-Za-z_][\w.]*\s*)\}\}?")
_CALL = re.compile(r"(\w+)\(.*\)", re.DOTALL)
_QUOTED = re.compile(r"""(['"])(.*)\1""", re.DOTALL)


def literal_words(spot: Spot, known: frozenset[str]) -> Iterator[Problem]:
    """A currency's code, `yes`, `no`, `on` and `off` that stand for themselves and are not fields of any fixture."""
    for node, parent in operands(spot.node):
        if node["type"] != "field" or node.get("quoted") or node["value"] in known:
            continue
        name = node["value"]
        whole = node is spot.node
        if name in _CURRENCIES:
            hint = f"for the text write \"'{name}'\"" if whole else f"for the text write '{name}'"
            yield spot.warning(f"{name} is read as the event's field of that name", node["start"], hint)
        elif name.lower() in _BOOLEANS and (
            not spot.is_condition or (parent and parent["type"] == "comparator" and known)
        ):
            value = _BOOLEANS[name.lower()]
            hint = f"for the boolean write {value}" if whole else f"for the boolean write `{value}`"
            yield spot.warning(f"{name} is read as the event's field of that name", node["start"], hint)


def quoted_paths(spot: Spot, watched: Watched, events: Sequence[dict[str, Any] | None]) -> Iterator[Problem]:
    """Literal text that is the path of a value in a fixture: `"'order.id'"`, `{id: 'order.id'}`."""
    for node in _values(spot.node):
        text = node["value"] if node["type"] == "literal" else None
        if not (isinstance(text, str) and "." in text and PATH.fullmatch(text)):
            continue
        if any(found(event, text) is not None for event in [*events, *watched.beside[id(node)]]):
            message = f"this is the text '{text}', and not what a fixture has there"
            yield spot.warning(message, node["start"], f"write {text} without the single quotes")


def _values(tree: Node) -> Iterator[Node]:
    """The whole expression, and all values of `{...}` in it."""
    yield tree
    for node in walk(tree):
        if node["type"] == "key_val_pair":
            yield node["children"][0]


def event_names(document: Document, spots: Sequence[Spot], samples: Sequence[Sample]) -> Iterator[Problem]:
    """`event:` with an expression in it: it is literal text."""
    for rule, path, call in calls_of(document):
        name = call.get("event")
        if call["call"] != "track" or not isinstance(name, str):
            continue
        text = name.strip()
        at = (*path, "event")
        if quoted := _QUOTED.fullmatch(text):
            hint = f"write {quoted[2]}"
            message = "`event` is literal text: these quotes would be part of the name"
            yield document.problem(message, at, hint=hint, warning=True)
        elif _is_expression(text, [spot for spot in spots if spot.rule == rule], spots, samples):
            hint = f"an expression is written event_from: {_as_expression(text)}"
            message = f"`event` is literal text: every event would be called {text}"
            yield document.problem(message, at, hint=hint, warning=True)


def _as_expression(text: str) -> str:
    """A name with placeholders as the expression that fills them."""
    if whole := _PLACEHOLDER.fullmatch(text):
        return whole[1].strip()
    return (
        f'"{filled(text, _PLACEHOLDER)}"'
        if _PLACEHOLDER.search(text)
        else text.removeprefix("$.").removeprefix("@.")
    )


def _is_expression(text: str, rule: list[Spot], spots: Sequence[Spot], samples: Sequence[Sample]) -> bool:
    called = _CALL.fullmatch(text)
    if called and functions.arity(called[1]) is not None:
        return True
    if text.startswith(("$.", "@.")) or _PLACEHOLDER.search(text):
        return True
    if not PATH.fullmatch(text):
        return False
    if any(node["type"] == "literal" and node["value"] == text for spot in rule for node in walk(spot.node)):
        return False  # the text that the rule looks for
    if text.rpartition(".")[2].lower() in _NAMING:
        return True
    read = {path_text(node) for spot in spots for node, _ in operands(spot.node)}
    return text in read or any(isinstance(found(sample.event, text), str) for sample in samples)


def found(event: Any, path: str) -> Any:
    """What a path of plain names finds; None if nothing."""
    value = event
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
