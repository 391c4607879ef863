"""The table of functions: every row has an example that is run, and the documents show it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from docs import write_functions
from tests.support.expressions import by_library, compiled
from worker.mapping.expressions import text_length
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.functions import TABLE, Function
from worker.mapping.expressions.functions.hashes import set_secrets
from worker.mapping.expressions.functions.library import Library
from worker.mapping.expressions.names import Names

ROWS = list(TABLE.values())
NAMES = Names(tables={"countries": {"DE": "Germany"}})
"""What the example of `lookup` looks up."""


@pytest.fixture(autouse=True)
def pepper() -> Iterator[None]:
    """The secret of the example of `hmac_sha256`."""
    set_secrets({"pepper": "pepper"})
    yield
    set_secrets({})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_example_gives_what_the_table_says(row: Function) -> None:
    expression = Expression.parse(row.example, NAMES)
    value = by_library(expression, {}, {})
    assert json.dumps(value, ensure_ascii=False) == row.result
    assert json.dumps(compiled(expression, {}, {}), ensure_ascii=False) == row.result
    assert f"{row.name}(" in row.example


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_complete(row: Function) -> None:
    assert row.meaning.endswith(".")
    assert "\n" not in row.meaning
    assert row.wrong_type.endswith(".")
    assert not row.fails or row.fails.endswith(".")


def test_every_function_of_the_library_has_a_row_with_its_own_number_of_arguments() -> None:
    for name, known in Library.FUNCTION_TABLE.items():
        parameters = known["signature"]
        variadic = bool(parameters and parameters[-1].get("variadic"))
        row = TABLE[name]
        assert (row.least, row.most) == (len(parameters), None if variadic else len(parameters)), name


def test_the_functions_that_count_their_text_are_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`MAKES_TEXT` says where counting must begin: before an expression with one of these."""
    counted: set[str] = set()
    monkeypatch.setattr(text_length, "check", lambda name, _: counted.add(name))
    monkeypatch.setattr(text_length, "count", lambda name, _: counted.add(name))
    for row in ROWS:
        by_library(Expression.parse(row.example, NAMES), {}, {})
    assert counted == {name for name in text_length.MAKES_TEXT if " " not in name}


def test_the_reference_in_the_documents_is_the_table() -> None:
    document = write_functions.TARGET.read_text(encoding="utf-8")
    assert write_functions.written(document) == document, "run `make docs`"
