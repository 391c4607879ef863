"""Generated converters equal a plain interpreter, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mapping_files import as_yaml, events, mapping_files
from tests.support.mapping_reference import Reference
from tests.support.records import TIME, converted, record, sent
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected, Stage
from worker.core.records import RULE, EncodedCall, QueuedCall, Record
from worker.documents.document import parse
from worker.documents.problems import ConfigError, Problem
from worker.mapping.calls.assembly import checked
from worker.mapping.compiler import look_up
from worker.mapping.compiler.loop import compile_mapping
from worker.mapping.compiler.target import Target
from worker.mapping.files.reader import read_mapping
from worker.mapping.files.rules import MappingFile

IDS = MessageIds("cluster")

keys = st.sampled_from([None, b"key", b"\xff", b""])
headers = st.sampled_from([[], [("h", b"1"), ("h", b"2")], [("h", None)], [("h", b"\xff")]])
times = st.sampled_from([None, TIME, 0, 10**17])


def read(data: Any) -> MappingFile:
    problems: list[Problem] = []
    file = read_mapping(parse(as_yaml(data), "drawn.yaml"), problems)
    if file is None or problems:
        raise ConfigError(problems)
    return file


def outcome(convert: Callable[[Record], list[EncodedCall]], of: Record) -> list[EncodedCall] | Stage:
    try:
        return convert(of)
    except Rejected as rejected:
        return rejected.stage


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(mapping_files, st.lists(events | st.none(), min_size=1, max_size=6), keys, headers, times)
def test_a_generated_converter_equals_the_plain_interpreter(
    data: Any, drawn: list[Any], key: bytes | None, with_headers: Any, millis: int | None
) -> None:
    agree(data, drawn, key, with_headers, millis)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(mapping_files, st.lists(events | st.none(), min_size=1, max_size=6), keys, headers, times)
def test_so_does_one_that_looks_its_rules_up(
    data: Any, drawn: list[Any], key: bytes | None, with_headers: Any, millis: int | None
) -> None:
    with patch.object(look_up, "LEAST_RULES", 1):
        agree(data, drawn, key, with_headers, millis)


def agree(data: Any, drawn: list[Any], key: bytes | None, with_headers: Any, millis: int | None) -> None:
    try:
        file = read(data)
    except ConfigError:
        return  # a call lacks a required field, which is reported at load
    target = Target("orders", IDS)
    convert = compile_mapping(file, target, {})
    reference = Reference(file, IDS)

    for event in drawn:
        of = record(event, key=key, of_headers=with_headers, millis=millis)
        found, expected = outcome(partial(converted, convert), of), reference.outcome(of)
        assert found in expected if isinstance(expected, set) else found == expected


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(mapping_files, st.lists(events, min_size=1, max_size=6))
def test_every_call_of_a_converter_is_valid(data: Any, drawn: list[Any]) -> None:
    try:
        file = read(data)
    except ConfigError:
        return
    convert = compile_mapping(file, Target("orders", IDS), {})
    rules = {rule.at: rule for rule in file.rules}

    for event in drawn:
        of = record(event)
        queued: list[QueuedCall] = []
        convert([of], queued, [])
        if not queued:
            continue
        calls = rules[queued[0][RULE]].calls
        assert len(queued) == len(calls) or any(call.for_each for call in calls)
        timeless = any(call.leaves_time_out for call in calls)
        for body, _ in sent(queued, of):
            call = orjson.loads(body)
            allow = {rule.spec.name for rule in calls}
            assert checked(call, allow=allow, reject_ids=file.reject_ids) == call
            assert call["messageId"]
            assert call["timestamp"].endswith("Z") if "timestamp" in call else timeless
