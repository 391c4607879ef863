"""Reads a mapping file's plain values into rules, and reports all problems at once.

    file = read_mapping(parse(text, "config/mappings/orders.yaml"), problems)

Problems are appended to `problems`. The parts that could be read are returned all the same, so that later checks can
find more problems.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from worker.documents.document import Document, Path
from worker.documents.problems import Problem
from worker.formats.envelopes.envelopes import ENVELOPES, NONE, envelope_of
from worker.formats.envelopes.unwrapped import Envelope
from worker.formats.schemas import Schemas
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.expressions.names import Names
from worker.mapping.files.defaults import envelope_defaults, file_defaults
from worker.mapping.files.encoding_reader import EncodingReader
from worker.mapping.files.keys import known_keys, one_of_words
from worker.mapping.files.lets import read_lets
from worker.mapping.files.rule_reader import RuleReader
from worker.mapping.files.rules import MappingFile, Rule
from worker.mapping.files.schema import FILE_KEYS
from worker.mapping.files.tables import read_tables
from worker.mapping.files.topics import topic_problem
from worker.mapping.files.value_reader import ValueReader


def read_mapping(
    document: Document, problems: list[Problem], schemas: Schemas | None = None
) -> MappingFile | None:
    """Read one mapping file; None if it is not a mapping at all.

    Args:
        document: the file.
        problems: where to add the problems found.
        schemas: those that are fetched from the registry.
    """
    if not isinstance(document.data, dict):
        problems.append(document.problem("a mapping file holds `topics` and `rules`"))
        return None
    return _FileReader(document, problems, Schemas() if schemas is None else schemas).file()


class _FileReader:
    def __init__(self, document: Document, problems: list[Problem], schemas: Schemas) -> None:
        self._document = document
        self._data: dict[str, Any] = document.data
        tables = read_tables(self._data.get("tables", {}), document, problems)
        self._values = ValueReader(document, problems, Names(tables=tables))
        self._report = self._values.report
        self._envelope = self._read_envelope()
        self._schemas = schemas
        self._values.names = replace(self._values.names, root=self._envelope.root if self._envelope else None)

    def file(self) -> MappingFile:
        data = self._data
        meant = known_keys(self._values, data, (), FILE_KEYS, "a mapping file")
        for key in ("topics", "rules"):
            if key not in {*data, *meant}:
                self._report(f"`{key}` is missing", ())
        topics = tuple(self._topics(data.get("topics", [])))
        lets = read_lets(data["let"], ("let",), self._values) if "let" in data else {}
        encodings = EncodingReader(data, self._values, self._schemas).read(self._envelope)
        return MappingFile(
            self._document,
            topics,
            tuple(self._rules(data.get("rules", []), self._values.with_lets(lets))),
            self._choice("unmatched", ("ignore", "dead_letter")) == "dead_letter",
            self._reject_ids(),
            encodings,
            self._envelope,
            {name: let for name, let in lets.items() if let is not None},
        )

    def _read_envelope(self) -> Envelope | None:
        word = self._choice("envelope", ENVELOPES) or NONE
        snapshot = self._choice("snapshot", ("ignore", "send"))
        if "snapshot" in self._data and word != "debezium":
            hint = "envelope: debezium" if word == NONE else "remove it"
            self._report("`snapshot` is only for `envelope: debezium`", ("snapshot",), key=True, hint=hint)
        of_json = self._data.get("format", "json") == "json"
        return envelope_of(word, send_snapshots=snapshot == "send", of_json=of_json)

    def _choice(self, key: str, choices: tuple[str, ...]) -> Any:
        return one_of_words(self._values, self._data, (key,), choices)

    def _topics(self, topics: Any) -> Iterator[str]:
        if not isinstance(topics, list) or not ("topics" in self._data and topics):
            if "topics" in self._data:
                hint = f"[{topics}]" if isinstance(topics, str) and topics else "[orders]"
                self._report("`topics` must be a list of at least one topic", ("topics",), hint=hint)
            return
        for index, topic in enumerate(topics):
            path: Path = ("topics", index)
            if not isinstance(topic, str):
                self._report("a topic must be text", path, hint="put it in quotes")
            elif topic in topics[:index]:
                self._report(f"the topic '{topic}' is duplicated", path)
            elif problem := topic_problem(topic):
                self._report(problem[0], path, hint=problem[1])
            else:
                yield topic

    def _reject_ids(self) -> frozenset[str]:
        given = self._data.get("reject_ids")
        if "reject_ids" not in self._data:
            return REJECT_IDS
        if not isinstance(given, list):
            self._report("`reject_ids` must be a list of texts", ("reject_ids",), hint="['null', undefined]")
            return REJECT_IDS
        for index, text in enumerate(given):
            if not isinstance(text, str):
                self._report("must be text", ("reject_ids", index), hint="put it in quotes: 'null'")
        return frozenset(text.strip().casefold() for text in given if isinstance(text, str))

    def _rules(self, rules: Any, values: ValueReader) -> Iterator[Rule]:
        given = self._data.get("defaults")
        defaults = envelope_defaults(self._envelope)
        if "defaults" in self._data:
            defaults = file_defaults(given, ("defaults",), values, defaults)
        send_nulls = self._choice("nulls", ("omit", "send")) == "send"
        if not isinstance(rules, list) or (not rules and "rules" in self._data):
            self._report("`rules` must be a list of at least one rule", ("rules",))
            return
        for index, rule in enumerate(rules):
            path: Path = ("rules", index)
            if isinstance(rule, dict):
                yield RuleReader(rule, path, values, defaults).rule(send_nulls=send_nulls)
            else:
                self._report("a rule must be a mapping", path, hint="when: ..., call: ...")
