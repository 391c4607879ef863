"""The semantic events that Customer.io and Segment document, for warnings and suggestions.

`semantic_events.yaml` beside this file lists all 82 with the types of their properties, the source of each, and errors
in the documentation. Only Customer.io's own (the family `customerio`) have an effect at Customer.io; `semantic` checks
those. For the others Customer.io accepts any JSON, but destinations rely on names and types. Nothing here rejects a
record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from worker.core.near_matches import closest
from worker.customerio.notices import MEANINGS
from worker.customerio.profile_limits import excesses

_FILE = Path(__file__).with_name("semantic_events.yaml")
_CUTOFF = 0.85

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "any": (object,),
    "null": (type(None),),
}
_ARTICLES = {"integer": "an integer", "array": "a list", "object": "an object"}


@cache
def _catalog() -> dict[str, Any]:
    """The parsed file. It is read on first use, because that takes 0.2 s and a running worker does not need it."""
    return dict(YAML(typ="safe", pure=True).load(_FILE.read_text(encoding="utf-8")))


@cache
def _events() -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in _catalog()["events"]}


def families() -> dict[str, list[str]]:
    """The event names of each family: `customerio`, `ecommerce`, `video`, ..."""
    return dict(_catalog()["families"])


def event(name: str) -> dict[str, Any] | None:
    """The entry of the event with exactly this name; None if it is not documented."""
    return _events().get(name.strip())


def suggest(name: str) -> str | None:
    """The documented name that this one is similar to; None if it is documented itself, or similar to none.

    `order_completed`, `orderCompleted` and `Completed Order` are all similar to `Order Completed`.
    """
    if event(name) is not None:
        return None
    words = _words(name)
    names = {_words(known): known for known in _events()}
    if words in names:
        return names[words]
    turned = {" ".join(sorted(known.split())): known for known in names}
    if (known := turned.get(" ".join(sorted(words.split())))) is not None:
        return names[known]
    near = closest(words, names, cutoff=_CUTOFF)
    return names[near] if near else None


def _words(name: str) -> str:
    """The words of a name in lower case: `orderCompleted`, `order_completed` and `Order Completed` are equal."""
    return " ".join(re.sub(r"([a-z0-9])([A-Z])|[\W_]+", r"\1 \2", name).casefold().split())


def check_properties(name: str, properties: Mapping[str, Any]) -> list[str]:
    """Warnings about properties whose type or value differs from the documentation. They quote no value."""
    known = event(name)
    if known is None:
        return []
    return [
        f"{known['name']}: {warning}" for warning in _check_all(known["properties"], properties, "properties")
    ]


def _check_all(types: Mapping[str, Any], values: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, wanted in types.items():
        if values.get(key) is not None:
            yield from _check(wanted, values[key], f"{path}.{key}")


def _check(wanted: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    """Compare one property with its documented type."""
    kinds = [wanted["type"]] if isinstance(wanted["type"], str) else wanted["type"]
    kind = next((kind for kind in kinds if _is_a(kind, value)), None)
    if kind is None:
        yield f"{path} should be {' or '.join(_ARTICLES.get(kind, f'a {kind}') for kind in kinds if kind != 'null')}"
        return
    if "enum" in wanted and value not in (
        allowed := [*wanted["enum"], *wanted.get("also_accepted_downstream", ())]
    ):
        yield f"{path} should be one of {', '.join(map(str, allowed))}"
    if "minimum" in wanted and not wanted["minimum"] <= value <= wanted["maximum"]:
        yield f"{path} should be from {wanted['minimum']} to {wanted['maximum']}"
    if kind == "object":
        yield from _check_all(wanted.get("properties", {}), value, path)
    if kind == "array":
        yield from _check_items(wanted, value, path)


def _is_a(kind: str, value: Any) -> bool:
    if kind in ("number", "integer") and isinstance(value, bool):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _check_items(wanted: Mapping[str, Any], items: list[Any], path: str) -> Iterator[str]:
    """Check the items of a list. Equal warnings are given once, because items of a list usually have the same fault."""
    kind = wanted.get("items", "any")
    types = wanted.get("item_properties")
    if not isinstance(types, dict):
        # The reference does not list the properties of a product in a list; they are those of `Product Viewed`.
        types = _events()["Product Viewed"]["properties"] if path.endswith(".products") else {}
    seen = dict.fromkeys(
        warning
        for item in items
        for warning in _check({"type": kind, "properties": types}, item, f"{path}[]")
    )
    yield from seen


def warnings(call: Mapping[str, Any]) -> list[str]:
    """Warnings about a valid call, which the API accepts. They quote no value."""
    found = [MEANINGS[kind] for kind in excesses(call)]
    if call["type"] == "track":
        name = call["event"]
        if meant := suggest(name):
            found.append(f"event is close to the documented name '{meant}'")
        found += check_properties(name, call.get("properties", {}))
    traits = call.get("traits", {})
    if call["type"] == "identify" and "objectId" in traits:
        found.append("traits.objectId makes Customer.io relate the person to an object")
    if "createdAt" in traits and traits["createdAt"] != traits.get("created_at", traits["createdAt"]):
        found.append("traits.createdAt and traits.created_at differ; Customer.io takes created_at")
    if call["type"] in ("page", "screen") and "name" not in call:
        found.append("name is missing; one of the API's documents requires it")
    if call["type"] != "identify" and "ip" in call.get("context", {}):
        found.append("context.ip is only used on identify, and keeps calls out of one another's requests")
    return found
