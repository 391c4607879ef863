"""Runs a Python mapper as the worker does: in the converter of a mapping file whose only rule names it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import orjson

from tests.support.records import converted, record
from worker import Event
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected
from worker.core.records import Converter, Record
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.compiler.loop import compile_mapping
from worker.mapping.compiler.target import Target
from worker.mapping.files.reader import read_mapping
from worker.mapping.mappers.loading import Mapper

IDS = MessageIds("cluster")

MAPPING = "topics: [orders]\nrules:\n  - mapper: test:function\n"


def mapper_converter(
    mapper: Mapper | Callable[[Event], Any],
    *,
    allow: Collection[str] = (),
    reject_ids: Collection[str] = REJECT_IDS,
    **target: Any,
) -> Converter:
    """The converter of a mapping file with this mapper; `target` has what differs from the usual `Target`."""
    problems: list[Problem] = []
    file = read_mapping(parse(MAPPING, "orders.yaml"), problems)
    assert file is not None
    rules = tuple(replace(rule, allow=frozenset(allow)) for rule in file.rules)
    file = replace(file, rules=rules, reject_ids=frozenset(reject_ids))
    if not isinstance(mapper, Mapper):
        mapper = Mapper("test:function", mapper)
    return compile_mapping(file, Target("orders", IDS, **target), {"test:function": mapper})


def mapped(convert: Converter, value: Any = None, of: Record | None = None) -> list[dict[str, Any]]:
    """The calls that become of a record, which has this value where none is given.

    Raises:
        Rejected: the record was rejected.
    """
    return [orjson.loads(body) for body, _ in converted(convert, of or record(value or {}))]


def rejection(convert: Converter, value: Any = None) -> Rejected | None:
    """Why a record with this value is rejected; None if it is not."""
    try:
        mapped(convert, value)
    except Rejected as rejected:
        return rejected
    return None
