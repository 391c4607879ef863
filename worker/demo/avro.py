"""Encodes the demo's events in Avro, with schemas that are made from the events themselves.

Needs the extra `avro`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_writer

from worker.demo.events import Sample
from worker.demo.registry import Registered, Registry
from worker.demo.scenario import Scenario

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONG = range(-(2**63), 2**63)


def in_avro(scenario: Scenario) -> Scenario:
    """The same demo with its events in Avro, and a registry that has their schemas."""
    registry = Registry()
    events = AvroEvents(registry, scenario.samples)
    samples = list(events.all(scenario.samples))
    return replace(scenario, samples=samples, more=lambda: events.all(scenario.more()), registry=registry)


class AvroEvents:
    """Turns samples of JSON into samples of Avro, each behind the id of its schema.

    Args:
        registry: where the schemas are registered, as `<topic>-value`.
        samples: the first of them, from which the first version of each schema is made. An event that does not fit
            makes a further one.
    """

    def __init__(self, registry: Registry, samples: Iterable[Sample]) -> None:
        self._registry = registry
        self._types: dict[str, Any] = {}
        self._schemas: dict[str, tuple[Registered, Any]] = {}
        for sample in samples:
            if (event := _event(sample)) is not None:
                self._types[sample.topic] = _merged(self._types.get(sample.topic), _type_of(event))
        for topic in self._types:
            self._register(topic)

    def encoded(self, sample: Sample) -> Sample:
        """The same event in Avro. Values that are no JSON objects stay as they are, and are no Avro."""
        event = _event(sample)
        if event is None:
            return sample
        known = self._types.get(sample.topic)
        if (needed := _merged(known, _type_of(event))) != known:
            self._types[sample.topic] = needed
            self._register(sample.topic)
        registered, schema = self._schemas[sample.topic]
        out = BytesIO()
        out.write(b"\0" + registered.id.to_bytes(4, "big"))
        schemaless_writer(out, schema, event)
        headers = [each for each in sample.headers if each[0] != "content-type"]
        return replace(sample, value=out.getvalue(), headers=headers)

    def all(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Each of these in Avro."""
        return map(self.encoded, samples)

    def _register(self, topic: str) -> None:
        schema = _schema(self._types[topic], _words(topic))
        registered = self._registry.register(f"{topic}-value", json.dumps(schema))
        self._schemas[topic] = registered, parse_schema(schema)


def _event(sample: Sample) -> dict[str, Any] | None:
    """The event of a sample; None if it has none, or one that Avro cannot hold."""
    try:
        event = json.loads(sample.value or b"null")
    except ValueError:
        return None
    return event if isinstance(event, dict) and _is_possible(event) else None


def _is_possible(value: Any) -> bool:
    match value:
        case dict():
            return all(_NAME.fullmatch(name) and _is_possible(each) for name, each in value.items())
        case list():
            return all(map(_is_possible, value))
        case int():
            return value in _LONG
    return True


# A type, while it is gathered, is a set of alternatives: {"string": None, "array": <type>, "record": {name: <type>}}.


_KINDS: dict[type, str] = {type(None): "null", bool: "boolean", int: "long", float: "double", str: "string"}


def _type_of(value: Any) -> dict[str, Any]:
    match value:
        case list():
            items: dict[str, Any] = {}
            for each in value:
                items = _merged(items, _type_of(each))
            return {"array": items}
        case dict():
            return {"record": {name: _type_of(each) for name, each in value.items()}}
    return {_KINDS[type(value)]: None}


def _merged(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    if not one:
        return other
    found = one | {kind: each for kind, each in other.items() if kind not in one}
    for kind in one.keys() & other.keys():
        if kind == "array":
            found[kind] = _merged(one[kind], other[kind]) if other[kind] else one[kind]
        elif kind == "record":
            found[kind] = _merged_fields(one[kind], other[kind])
    return found


def _merged_fields(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The fields of both; those that one lacks can be null."""
    absent = {"null": None}
    return {name: _merged(one.get(name, absent), other.get(name, absent)) for name in {**one, **other}}


def _schema(type_: dict[str, Any], name: str) -> Any:
    """The Avro schema of a gathered type."""
    kinds = [kind for kind in type_ if kind != "null"]
    if "double" in kinds:
        kinds = [kind for kind in kinds if kind != "long"]
    branches = [_branch(kind, type_[kind], name) for kind in kinds]
    if "null" in type_ or not branches:
        branches.insert(0, "null")
    return branches[0] if len(branches) == 1 else branches


def _branch(kind: str, inner: Any, name: str) -> Any:
    match kind:
        case "array":
            return {"type": "array", "items": _schema(inner, f"{name}Item")}
        case "record":
            fields = [_field(field, each, name) for field, each in inner.items()]
            return {"type": "record", "name": name, "fields": fields}
    return kind


def _field(field: str, type_: dict[str, Any], name: str) -> dict[str, Any]:
    made = {"name": field, "type": _schema(type_, f"{name}{_words(field)}")}
    return made | {"default": None} if "null" in type_ else made


def _words(text: str) -> str:
    return "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", text)) or "Event"
