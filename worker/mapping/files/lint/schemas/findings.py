"""Compares what several versions of a topic's schemas contradict in its mapping file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from worker.documents.document import Document
from worker.documents.problems import Problem
from worker.formats.description import LIST, Description
from worker.mapping.files.lint.refusals import field_of
from worker.mapping.files.lint.schemas.envelopes import seen
from worker.mapping.files.lint.schemas.reading import Found, Reading
from worker.mapping.files.lint.schemas.types import refused_by, words_for
from worker.mapping.files.lint.spots import Spot, first_character, spots


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a schema.

    Attributes:
        name: what it is called in findings: `version 8`, or a file's name.
        values: what it says of values.
    """

    name: str
    values: Description


_Key = tuple[int, int, str]
"""A contradiction is the same in two versions if it is about the same character and says the same."""

_Found = dict[_Key, Found]


def schema_findings(document: Document, subjects: Mapping[str, Sequence[Version]]) -> list[Problem]:
    """What the schemas contradict, in order of the place: all as warnings.

    A field that no version of any subject has is found, and a type that the newest versions have and that cannot be
    used. A field that the newest version lacks and an older one has breaks its rule, unless the expression has another
    value for that case. What only older versions lack is not reported: fields are added over time.

    Args:
        document: the mapping file.
        subjects: the versions of each schema that values of the file's topics may have, the newest last. What one
            subject has, another one may lack: they are different events.
    """
    given = {name: versions for name, versions in subjects.items() if versions}
    if not given:
        return []
    every = spots(document)
    found = {
        name: [_contradictions(document, every, version) for version in versions]
        for name, versions in given.items()
    }
    first, *others = [of_versions[-1] for of_versions in found.values()]
    everywhere = [each for key, each in first.items() if all(key in other for other in others)]
    problems = [problem for each in everywhere if (problem := _problem(each, given, found)) is not None]
    problems += _not_in_envelope(document, given)
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.line or 0, problem.column or 0))


def _problem(
    found: Found, subjects: Mapping[str, Sequence[Version]], every: Mapping[str, list[_Found]]
) -> Problem | None:
    """The finding of a contradiction that the newest versions have; None where that is not a mistake."""
    key = _key(found)
    changed = next((name for name, each in every.items() if any(key not in keys for keys in each)), None)
    if changed is None:
        return _in_all(found, subjects)
    if found.missing is not None and found.alternative:
        return None
    newest = subjects[changed][-1].name
    what = f"it has no '{found.missing}' here" if found.missing is not None else found.message
    message = f"{newest} of {changed} breaks rule {found.spot.rule + 1}: {what}"
    return found.spot.warning(message, found.start, found.hint)


def _in_all(found: Found, subjects: Mapping[str, Sequence[Version]]) -> Problem:
    if found.missing is None:
        return found.spot.warning(found.message, found.start, found.hint)
    names = " or ".join(subjects)
    alone = len(subjects) == 1 and all(len(versions) == 1 for versions in subjects.values())
    who = names if alone else f"no version of {names}"
    message = f"{who} has {'no ' if alone else ''}'{found.missing}' here"
    return found.spot.warning(message, found.start, found.hint)


def _not_in_envelope(document: Document, subjects: Mapping[str, Sequence[Version]]) -> Iterator[Problem]:
    for name, versions in subjects.items():
        if seen(_envelope(document), versions[-1].values).event is None:
            message = f"values of {name} are in no envelope of this kind, by their schema"
            yield document.problem(message, ("envelope",), hint="envelope: none", warning=True)


def _envelope(document: Document) -> str:
    return str(document.data.get("envelope", "none")) if isinstance(document.data, dict) else "none"


def _contradictions(document: Document, every: list[Spot], version: Version) -> _Found:
    of = seen(_envelope(document), version.values)
    if of.event is None:
        return {}
    found: _Found = {}
    for rule in sorted({spot.rule for spot in every}):
        lets = {str(spot.path[-1]): spot for spot in every if spot.is_let and spot.rule in (-1, rule)}
        reading = Reading(of.event, of.about, lets)
        _read_rule(reading, [spot for spot in every if spot.rule == rule])
        found.update((_key(each), each) for each in reading.found)
    return found


def _read_rule(reading: Reading, own: list[Spot]) -> None:
    lists = {spot.path[:-1]: spot for spot in own if spot.is_list}
    for spot in own:
        items = next((each for path, each in lists.items() if spot.path[: len(path)] == path), None)
        given = reading.whole(items) if items is not None and items is not spot else None
        value = reading.whole(spot, given.items() if given is not None else None)
        if value is None or not value.branches:
            continue
        field = field_of(spot)
        if field is not None and (why := refused_by(field, value)):
            reading.report({"start": first_character(spot.node)}, why)
        elif spot.is_list and LIST not in value.kinds:
            why = f"for_each takes a list, and this is {words_for(value.kinds)} in the schema"
            reading.report({"start": first_character(spot.node)}, why)


def _key(found: Found) -> _Key:
    return id(found.spot), found.start, found.missing or found.message
