"""Runs of records: what becomes of one does not depend on its neighbours."""

from __future__ import annotations

import linecache
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mapping_files import as_yaml, events, mapping_files
from tests.support.mapping_reference import Reference
from tests.support.records import TIME, record, run
from worker.core.faults import places
from worker.core.message_id import MessageIds
from worker.core.records import Converter, Record, RejectedRecord
from worker.documents.document import parse
from worker.documents.problems import ConfigError, Problem
from worker.mapping.compiler.loop import compile_mapping
from worker.mapping.compiler.target import Target
from worker.mapping.files.reader import read_mapping
from worker.mapping.files.rules import MappingFile
from worker.mapping.trying.preview import PreviewRecord

IDS = MessageIds("cluster")
TWO_CALLS = """
topics: [orders]
rules:
  - when: id
    calls:
      - {call: identify, userId: id}
      - {call: track, event: Seen, userId: id, properties: {n: n}}
"""


def read(text: str) -> MappingFile:
    problems: list[Problem] = []
    file = read_mapping(parse(text, "runs.yaml"), problems)
    if file is None or problems:
        raise ConfigError(problems)
    return file


millis = st.sampled_from([None, TIME, TIME + 999, TIME + 1024, TIME - 1, 0, 1, -1, -1024, -5000, 10**17])
offsets = st.sampled_from([0, 1, 4095, 4096, 4097, 2**42 - 1, 2**42])
keys = st.sampled_from([None, b"", b"key"])
drawn_runs = st.lists(
    st.tuples(events | st.none() | st.just(b"{"), millis, offsets, keys), min_size=1, max_size=8
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(mapping_files, drawn_runs)
def test_a_run_gives_the_calls_of_its_records_one_by_one(data: Any, drawn: list[Any]) -> None:
    try:
        file = read(as_yaml(data))
    except ConfigError:
        return
    of = [record(event, key=key, millis=time, at=(3, offset)) for event, time, offset, key in drawn]
    Reference(file, IDS).check(compile_mapping(file, Target("orders", IDS), {}), of)


def test_all_calls_of_a_record_are_queued_or_none() -> None:
    convert = compile_mapping(read(TWO_CALLS), Target("orders", IDS), {})
    good, bad = record({"id": "a", "n": 1}), record(b'{"id":"b","n":%d}' % 2**64)
    calls, rejected, ignored = run(convert, [good, bad, good])
    assert [(of, index) for _, _, of, index, *_ in calls] == [(good, 0), (good, 1)] * 2
    ((of, verdict),) = rejected
    assert of is bad
    assert (verdict.reason, verdict.rule, verdict.call_index) == ("INEXACT_NUMBER", "runs.yaml:4", 1)
    assert ignored == 0


class Faulty(PreviewRecord):
    """A record that cannot even be asked for its key."""

    def key(self) -> bytes | None:
        raise LookupError("unexpected")


def test_a_fault_of_ours_with_one_record_stops_no_other() -> None:
    convert = compile_mapping(read(TWO_CALLS), Target("orders", IDS), {})
    good, bad = record({"id": "a"}), Faulty("orders", b'{"id":"b"}', b"key")
    calls, rejected, _ = run(convert, [bad, good])
    assert [of for _, _, of, *_ in calls] == [good, good]
    ((of, verdict),) = rejected
    assert of is bad
    assert verdict.reason == "UNEXPECTED_FAULT"
    assert re.fullmatch(
        r"the worker failed on this record: LookupError at tests/mapping/compiler/test_runs\.py:\d+ in key"
        r" \(rule runs\.yaml:4, identify, at runs\.yaml:6:16\)\.",
        verdict.detail,
    )


def test_a_verdict_does_not_keep_the_run_alive() -> None:
    convert = compile_mapping(read(TWO_CALLS), Target("orders", IDS), {})
    bad: list[Record] = [record(b'{"id":"b","n":%d}' % 2**64), record(b"{"), record({"id": "undefined"})]
    rejected: list[RejectedRecord] = []
    convert(bad, [], rejected)
    for _, verdict in rejected:
        assert (verdict.__traceback__, verdict.__context__, verdict.__cause__) == (None, None, None)
    assert len(rejected) == 3


def test_a_fault_in_the_generated_function_names_mapping_line_and_function() -> None:
    """The key is the worker's own to read: a fault in what it runs is found in the printed source."""
    convert = compile_mapping(read(TWO_CALLS), Target("orders", IDS), {})
    (found,) = [place for place in traces(convert) if place.startswith("<")]
    place = re.fullmatch(r"(<mapping \S+>):(\d+) in convert", found)
    assert place
    assert "record.key()" in linecache.getline(place[1], int(place[2]))


def traces(convert: Converter) -> list[str]:
    """The places of a fault that ends the whole function."""

    class Ended(BaseException):
        pass

    class Ending(Faulty):
        def key(self) -> bytes | None:
            raise Ended

    with pytest.raises(Ended) as ended:
        convert([Ending("orders", b'{"id":"b"}', b"key")], [], [])
    return places(ended.value)
