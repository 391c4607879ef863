"""A fast path lets only those values pass that conversion returns unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.values import json_values
from worker.core.reasons import Rejected
from worker.mapping.calls.assembly import convert
from worker.mapping.calls.specs import CALLS, Kind
from worker.mapping.calls.validation import REJECT_IDS, optional_identity
from worker.mapping.compiler.fast_paths import write_converted
from worker.mapping.compiler.source import Code

FIELDS = {field.kind: field for call in CALLS.values() for field in call.fields.values()}
TEXTS = [
    "", " ", "a", " a", "a ", "\x7f", "!", "~", "~\x7f", "é", "null", " NULL ", "none", "[object Object]", "u-1",
    "2026-11-21T10:00:00Z", "2026-11-21T10:00:00.123Z", "2026-11-21T10:00:00+01:00", "2026-13-21T10:00:00Z",
    "Order Completed", "Report Delivery Event", "delete person", "User Deleted",
]  # fmt: skip

values = json_values | st.sampled_from(TEXTS) | st.text(st.sampled_from("nulNUL \x7f!~é"), max_size=5)


def outcome(function: Callable[[Any], Any], value: Any) -> Any:
    try:
        return function(value)
    except Rejected as rejected:
        return rejected.reason


@pytest.mark.parametrize("kind", FIELDS)
@given(values)
def test_with_the_fast_path_a_field_is_converted_as_without(kind: Kind, value: Any) -> None:
    def plain(given: Any) -> Any:
        return convert(FIELDS[kind], given)

    assert outcome(converter(kind, plain), value) == outcome(plain, value)


@given(values)
@example("nul")
@example("n\xa0")
def test_an_id_that_a_mapping_rejects_never_takes_the_fast_path(value: Any) -> None:
    def plain(given: Any) -> Any:
        return optional_identity(given, "userId", REJECT_IDS)

    assert outcome(converter(Kind.IDENTITY, plain, REJECT_IDS), value) == outcome(plain, value)


def converter(
    kind: Kind, plain: Callable[[Any], Any], reject_ids: frozenset[str] = frozenset()
) -> Callable[[Any], Any]:
    code = Code()
    converted = f"{code.constant(plain, 'plain')}(given)"
    write_converted(code, kind, "given", "sent", converted, reject_ids=reject_ids)
    code.line("return sent")
    return code.build("converted", "given")
