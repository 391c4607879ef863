"""What a mapping file says, and the schema that says it to editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tests.support.mapping_files import as_yaml, mapping_files
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.calls.specs import CALLS
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.files.lint.rules import rule_warnings
from worker.mapping.files.reader import read_mapping
from worker.mapping.files.rules import MappingFile, json_schema
from worker.mapping.files.schema import FILE_KEYS, RULE_KEYS

SCHEMA = Draft202012Validator(json_schema())
ROOT = Path(__file__).parents[3]


def read(text: str) -> MappingFile:
    problems: list[Problem] = []
    file = read_mapping(parse(text, "rules.yaml"), problems)
    assert file is not None
    assert not problems
    return file


def warnings(rules: str) -> list[str]:
    return [str(problem) for problem in rule_warnings(read(f"topics: [t]\nrules:\n{rules}"))]


def test_a_file_that_says_little_has_the_documented_defaults() -> None:
    file = read("topics: [t]\nrules:\n  - {call: identify, userId: id}\n")
    assert file.topics == ("t",)
    assert not file.reject_unmatched
    assert file.reject_ids == REJECT_IDS
    assert not file.rules[0].send_nulls
    assert file.rules[0].at == "rules.yaml:3"


def test_a_rule_may_say_nulls_otherwise_than_its_file() -> None:
    file = read(
        "topics: [t]\nnulls: send\nrules:\n"
        "  - {when: a, call: identify, userId: id}\n"
        "  - {when: b, call: identify, userId: id, nulls: omit}\n"
    )
    assert [rule.send_nulls for rule in file.rules] == [True, False]


def test_numbers_booleans_null_lists_and_objects_stand_for_themselves() -> None:
    file = read(
        "topics: [t]\nrules:\n  - call: track\n    event: E\n    userId: 7\n"
        "    properties: {n: 1.5, b: true, z: null, l: [1, [x]], o: {p: x.y}}\n"
    )
    fields: dict[str, Any] = file.rules[0].calls[0].fields
    assert fields["userId"] == 7
    properties = fields["properties"]
    assert (properties["n"], properties["b"], properties["z"]) == (1.5, True, None)
    assert properties["l"][0] == 1
    assert properties["l"][1][0].text == "x"
    assert properties["o"]["p"].text == "x.y"


@pytest.mark.parametrize(
    "given_", ["\"'USD'\"", "a.b", "'a || b'", "'\"order-id\"'", '"@"', "'_kafka.key'", "a"]
)
def test_expressions_may_be_quoted_unless_they_are_a_bare_word(given_: str) -> None:
    read(f"topics: [t]\nrules:\n  - {{call: identify, userId: id, traits: {{a: {given_}}}}}\n")


def test_a_rule_that_comes_behind_one_with_the_same_condition_is_a_warning() -> None:
    told = warnings(
        "  - {when: a ==  b, call: identify, userId: id}\n  - {when: a == b, call: identify, userId: id}\n"
    )
    said = "this rule can never match: the one in line 3 always does (join their calls under one `calls`)"
    assert told == [f"rules.yaml:4:12: warning: {said}"]


def test_a_rule_behind_one_that_matches_everything_is_a_warning_unless_it_is_about_tombstones() -> None:
    assert len(warnings("  - {call: identify, userId: id}\n  - {when: a, call: identify, userId: id}\n")) == 1
    assert not warnings(
        "  - {call: identify, userId: id}\n  - {when: _kafka.tombstone, call: delete_user, userId: _kafka.key}\n"
    )


def test_an_event_name_close_to_a_documented_one_is_a_warning_with_a_suggestion() -> None:
    told = warnings("  - {call: track, event: order_completed, userId: id}\n")
    assert "did you mean 'Order Completed'?" in told[0]
    assert told[0].startswith("rules.yaml:3:26:")
    assert not warnings("  - {call: track, event: Something Ours Altogether, userId: id}\n")


def test_a_literal_property_of_another_type_than_the_documented_one_is_a_warning() -> None:
    told = warnings(
        "  - call: track\n    event: Order Completed\n    userId: id\n"
        "    properties: {total: \"'9.50'\", order_id: order.id, products: [{sku: sku}]}\n"
    )
    assert len(told) == 1
    assert "total" in told[0]
    assert told[0].startswith("rules.yaml:6:")


def test_a_word_where_a_choice_belongs_is_a_warning() -> None:
    problems: list[Problem] = []
    text = "topics: [t]\nrules:\n  - {call: create_or_update_device, userId: id, token: t, deviceType: ios}\n"
    read_mapping(parse(text, "rules.yaml"), problems)
    assert [problem.warning for problem in problems] == [True]


def test_the_schema_is_a_schema_and_describes_every_key() -> None:
    Draft202012Validator.check_schema(json_schema())
    for spec in CALLS.values():
        described = json_schema()["$defs"][f"call_{spec.name}"]["properties"]
        assert all(described[name]["description"] for name in spec.fields)


@pytest.mark.parametrize("path", sorted(ROOT.glob("config/mappings/*.yaml")), ids=lambda path: path.stem)
def test_the_schema_accepts_the_examples(path: Path) -> None:
    SCHEMA.validate(YAML(typ="safe", pure=True).load(path.read_text()))


@settings(max_examples=60, deadline=None)
@given(mapping_files)
def test_the_schema_accepts_files_that_the_reader_accepts(data: Any) -> None:
    problems: list[Problem] = []
    read_mapping(parse(as_yaml(data), "drawn.yaml"), problems)
    if not problems:
        SCHEMA.validate(data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"topics": ["t"]},
        {"topics": ["t"], "rules": []},
        {"topics": ["t"], "rules": [{"call": "identify", "userId": "id"}], "nul": 1},
        {"topics": ["t"], "rules": [{"call": "identify", "userId": "id", "properties": {}}]},
        {"topics": ["t"], "rules": [{"call": "identify"}]},
        {"topics": ["t"], "rules": [{"call": "track", "userId": "id"}]},
        {"topics": ["t"], "rules": [{"call": "track", "userId": "id", "event": "E", "calls": []}]},
        {"topics": ["t"], "rules": [{"mapper": "a:b", "userId": "id"}]},
        {"topics": ["t"], "rules": [{"calls": [{"call": "identify", "userId": "id", "nope": "x"}]}]},
        {"topics": ["t"], "rules": [{"call": "identify", "userId": "id", "allow": ["alias"]}]},
        {"topics": ["t"], "rules": [{"call": "delete_user"}]},
    ],
)
def test_the_schema_refuses_files_that_the_reader_refuses(wrong: Any) -> None:
    assert not SCHEMA.is_valid(wrong)


KEYS = st.sampled_from(
    [
        *FILE_KEYS,
        *RULE_KEYS,
        "userId",
        "event",
        "event_from",
        "properties",
        "traits",
        "context",
        "timestamp",
        "nope",
    ]
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([*CALLS, "a.b", "^a", "a ||", "'x'", "send", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(ANYTHING, st.lists(st.dictionaries(KEYS, ANYTHING, max_size=5), max_size=3))
def test_any_file_is_read_or_reported_with_a_place(anything: Any, rules: list[Any]) -> None:
    for data in (anything, {"topics": ["t"], "rules": rules}):
        problems: list[Problem] = []
        read_mapping(parse(json.dumps(data), "any.yaml"), problems)
        assert all(problem.line and problem.column and problem.message for problem in problems)
