"""Mapping files together: loaded, checked against each other, explained."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.support.records import converted, record
from worker.core.message_id import MessageIds
from worker.documents.problems import ConfigError
from worker.mapping.mappings import Mappings

IDS = MessageIds("cluster")
RULE = "rules:\n  - {call: identify, userId: id}\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def load(folder: Path, *patterns: str, mapper_path: tuple[str, ...] = ()) -> Mappings:
    return Mappings.load(
        patterns or ["*.yaml"], mapper_path=mapper_path, base=folder, dead_letter_topic="dead-letters"
    )


def problems(folder: Path, *patterns: str, mapper_path: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(folder, *patterns, mapper_path=mapper_path)
    return [str(problem).replace(f"{folder}/", "") for problem in raised.value.problems]


def test_each_topic_has_a_converter_and_others_have_none(tmp_path: Path) -> None:
    write(tmp_path, a=f"topics: [a, '^b-[0-9]+$']\n{RULE}", c=f"topics: [c]\n{RULE}")
    mappings = load(tmp_path)
    assert mappings.subscriptions == ["a", "^b-[0-9]+$", "c"]
    convert = mappings.converter("b-12", IDS)
    assert convert is not None
    ((body, context),) = converted(convert, record({"id": "u"}, topic="b-12"))
    assert orjson.loads(body)["userId"] == "u"
    assert context == b""
    assert mappings.converter("b-x", IDS) is None


def test_problems_of_all_files_come_at_once_in_order_of_place(tmp_path: Path) -> None:
    write(tmp_path, a="topics: [a]\nrules:\n  - {call: trak}\n", b="topics: [", c=f"topic: [c]\n{RULE}")
    told = problems(tmp_path)
    assert [line.split(":")[0] for line in told] == ["a.yaml", "b.yaml", "c.yaml"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("orders", "orders"), ("orders", "^ord.*$"), ("^ord.*$", "orders"), ("^a[0-9]+$", "^a.$")],
)
def test_a_topic_that_two_files_claim_is_an_error_that_names_both(
    tmp_path: Path, one: str, other: str
) -> None:
    write(tmp_path, a=f"topics: ['{one}']\n{RULE}", b=f"topics:\n  - '{other}'\n{RULE}")
    (told,) = problems(tmp_path)
    assert told.startswith("b.yaml:2:5: ")
    assert "a.yaml:1" in told


def test_a_topic_that_two_patterns_turn_out_to_claim_is_refused_when_it_appears(tmp_path: Path) -> None:
    write(tmp_path, a=f"topics: ['^a.*[0-8]$']\n{RULE}", b=f"topics: ['^.*z[0-8]$']\n{RULE}")
    mappings = load(tmp_path)
    with pytest.raises(ConfigError, match="claimed by"):
        mappings.converter("abz7", IDS)


def test_a_pattern_without_a_file_is_an_error(tmp_path: Path) -> None:
    assert "no mapping file matches 'nothing/*.yaml'" in problems(tmp_path, "nothing/*.yaml")[0]


def test_a_file_that_two_patterns_name_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, a=f"topics: [a]\n{RULE}")
    assert load(tmp_path, "*.yaml", "a.yaml", str(tmp_path / "a.yaml")).subscriptions == ["a"]


def test_files_are_looked_for_in_the_current_directory_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, topic in ((here, "near"), (there, "far")):
        folder.mkdir()
        write(folder, m=f"topics: [{topic}]\n{RULE}")
    monkeypatch.chdir(here)
    mappings = load(there, "m.yaml")
    assert mappings.subscriptions == ["near"]
    assert mappings.files[0].rules[0].at == "m.yaml:3"


def test_warnings_do_not_keep_mappings_from_loading(tmp_path: Path) -> None:
    write(tmp_path, a="topics: [a]\nrules:\n  - {call: track, event: order_completed, userId: id}\n")
    assert "Order Completed" in str(load(tmp_path).warnings[0])


MAPPER = """
from worker import Reject, delete_user, identify

def person(event):
    if event.tombstone:
        return delete_user(user_id=event.key)
    if event.value.get("bad"):
        raise Reject("TOO_BAD")
    if event.value.get("id"):
        return identify(user_id=event.value["id"], message_id=event.value.get("event"))
"""


def test_a_mapper_rule_sends_the_calls_of_its_function(tmp_path: Path) -> None:
    (tmp_path / "mapper_of_test_mappings.py").write_text(MAPPER)
    rules = "rules:\n  - {when: '`true`', mapper: 'mapper_of_test_mappings:person'}\n"
    write(tmp_path, a=f"topics: [orders]\n{rules}")
    mappings = load(tmp_path, mapper_path=(str(tmp_path),))

    (call,) = mappings.explain(record({"id": 7}), IDS).calls
    assert (call["userId"], call["timestamp"]) == ("7", "2025-11-21T10:00:00.000Z")
    assert call["messageId"] == IDS.for_record(record({}).timestamp()[1], "orders", 3, 42, "identify", "", 0)
    (named,) = mappings.explain(record({"id": 7, "event": "e"}), IDS).calls
    assert named["messageId"] == MessageIds.for_event("e", "identify", "", 0)
    assert mappings.explain(record({}), IDS).ignored == "the mapper returned nothing"
    bad = mappings.explain(record({"bad": 1}), IDS).rejected
    assert bad is not None
    assert (bad.reason, bad.rule) == ("TOO_BAD", f"{tmp_path}/a.yaml:3")
    destructive = mappings.explain(record(None), IDS).rejected
    assert destructive is not None
    assert destructive.reason == "NOT_ALLOWED"


def test_a_mapper_that_cannot_be_loaded_is_reported_at_the_rule(tmp_path: Path) -> None:
    (tmp_path / "broken_of_test_mappings.py").write_text("\n\nimport no_such_thing_at_all\n")
    write(tmp_path, a="topics: [a]\nrules:\n  - mapper: broken_of_test_mappings:f\n")
    (told,) = problems(tmp_path, mapper_path=(str(tmp_path),))
    assert told.startswith("a.yaml:3:13: ")
    assert "broken_of_test_mappings.py:3" in told


def test_an_explanation_has_the_rule_and_the_calls(tmp_path: Path) -> None:
    rules = "rules:\n  - {when: x, call: identify, userId: id}\n  - {call: track, event: orderCompleted, userId: id}\n"
    write(tmp_path, a=f"topics: [orders]\n{rules}")
    mappings = load(tmp_path)
    found = mappings.explain(record({"id": "u"}), IDS)
    convert = mappings.converter("orders", IDS)
    assert convert is not None
    assert found.rule == f"{tmp_path}/a.yaml:4"
    assert found.sizes == [len(body) for body, _ in converted(convert, record({"id": "u"}))]
    assert any("Order Completed" in said for said in found.warnings)


def test_an_explanation_says_why_nothing_is_sent(tmp_path: Path) -> None:
    write(tmp_path, a="topics: [orders]\nrules:\n  - {when: x, call: identify, userId: id}\n")
    mappings = load(tmp_path)
    assert mappings.explain(record({}), IDS).ignored == "no rule matched"
    assert mappings.explain(record({}, topic="shops"), IDS).ignored == "no mapping file names the topic"
    rejected = mappings.explain(record({"x": 1}), IDS).rejected
    assert rejected is not None
    assert rejected.reason == "MISSING_ID"
