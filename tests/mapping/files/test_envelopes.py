"""Envelopes in mapping files: wrong words, explanations, warnings of `check`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.enveloped import IDS, change, read
from tests.support.records import record
from worker.documents.document import parse
from worker.mapping.files.lint import Sample, findings
from worker.mapping.kafka_fields import kafka_fields
from worker.mapping.trying.steps import steps_of

# The file

WRONG = [
    ("envelope: debezzium\n", "`envelope` is none or debezium or cloudevents or connect"),
    ("snapshot: send\n", "`snapshot` is only for `envelope: debezium`"),
    ("envelope: connect\nsnapshot: send\n", "`snapshot` is only for `envelope: debezium`"),
    ("envelope: debezium\nsnapshot: maybe\n", "`snapshot` is ignore or send"),
    ("key_format: yaml\n", "`key_format` is json or avro or protobuf or text"),
]


@pytest.mark.parametrize(("head", "message"), WRONG)
def test_wrong_words_are_problems_with_their_place(head: str, message: str) -> None:
    _, problems = read(f"{head}rules:\n  - {{call: identify, userId: id}}\n")
    (problem,) = problems
    assert message in problem.message
    assert problem.line is not None


# Explanations and warnings


def test_an_explanation_shows_what_the_envelope_says() -> None:
    mappings, _ = read(
        "envelope: debezium\nrules:\n  - {when: _change.op == 'update', call: identify, userId: _change.bfore.id}\n"
    )
    of = record(change("u", before={"id": "u-0"}))
    steps = steps_of(mappings, of, mappings.explain(of, IDS))
    (tried,) = steps.rules
    assert tried.conditions[0].sides[0].value == "update"
    ((_, fields),) = steps.calls
    assert fields[0].found.missing == "_change has no 'bfore' (did you mean 'before'?)"


def test_an_ignored_record_is_explained_without_rules() -> None:
    mappings, _ = read("envelope: debezium\nrules:\n  - {call: identify, userId: id}\n")
    steps = steps_of(mappings, record(change("r")), mappings.explain(record(change("r")), IDS))
    assert (steps.rules, steps.explanation.ignored) == ([], "snapshot")


def warnings(text: str, *values: Any) -> list[str]:
    document = parse(f"topics: [orders]\n{text}", "rules.yaml")
    samples = [Sample("orders", value, kafka_fields(record(value, key=b'{"id": 1}'))) for value in values]
    return [
        f"{found.message} ({found.hint})" if found.hint else found.message
        for found in findings([document], samples)
    ]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("_change.op == 'c'", "write 'create'"),
        ("_change.op == 'deleted'", "write 'delete'"),
        ("_change.opp == 'create'", "_change has no 'opp' (did you mean 'op'?)"),
        ("_kafka.key.id == `1` && _change.op == 'delete'", None),
        ("emial == 'x'", "no fixture has 'emial' here (did you mean 'email'?)"),
        ("_change.before.emial == 'x'", "no fixture has 'emial' here (did you mean 'email'?)"),
    ],
)
def test_fields_of_the_envelope_are_checked(when: str, expected: str | None) -> None:
    text = f"envelope: debezium\nrules:\n  - {{when: {json.dumps(when)}, call: identify, userId: id}}\n"
    row = {"id": 1, "email": "a@example.com"}
    found = warnings(text, change("u", before=row, after=row))
    assert (not found) if expected is None else any(expected in each for each in found), found


def test_an_envelope_that_the_file_does_not_name_is_a_warning() -> None:
    found = warnings("rules:\n  - {when: _change.op == 'create', call: identify, userId: id}\n", {"id": 1})
    assert any("envelope: debezium" in each for each in found)
