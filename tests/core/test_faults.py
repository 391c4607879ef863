"""What is said of an exception names its type and place, and nothing that a record could have put there."""

from __future__ import annotations

import asyncio
import re
import types
from collections.abc import Callable
from typing import Any

import confluent_kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.faults import MAX_PLACES, dotted_type_name, places, type_name, unexpected
from worker.mapping.compiler.source import Code

PERSON = "ada_lovelace"
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)


class OwnError(LookupError):
    pass


def made(name: str, *bases: type) -> Any:
    return type(name, bases or (Exception,), {})


class Nested:
    class InsideError(OwnError):
        pass


def raised(raising: Callable[[], Any]) -> BaseException:
    try:
        raising()
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (KeyError(PERSON), "builtins.KeyError"),
        (SystemExit(PERSON), "builtins.SystemExit"),
        (OwnError(PERSON), f"{__name__}.OwnError"),
        (TimeoutError(), "builtins.TimeoutError"),
        (confluent_kafka.KafkaException(PERSON), "confluent_kafka.cimpl.KafkaException"),
        (made(PERSON)(), "builtins.Exception"),
        (made(PERSON, OwnError)(), f"{__name__}.OwnError"),
        (made(PERSON, made("ada@example.com", ValueError))(), "builtins.ValueError"),
        (made("ValueError")(), "builtins.Exception"),
        (made("OwnError")(), "builtins.Exception"),
        (made("", BaseException)(), "builtins.BaseException"),
        (Nested.InsideError(), f"{__name__}.OwnError"),
    ],
)
def test_a_type_is_named_only_if_a_module_has_it(error: BaseException, name: str) -> None:
    assert dotted_type_name(error) == name
    assert type_name(error) == name.rpartition(".")[2]


@given(NAMES, st.sampled_from([Exception, KeyError, OwnError]))
def test_a_type_created_at_run_time_is_named_after_its_base_class(name: str, base: type) -> None:
    assert type_name(made(name, base)()) == base.__name__


def test_a_place_is_file_line_and_function() -> None:
    *_, innermost = places(raised(lambda: asyncio.run(None)))  # type: ignore[arg-type] # that is the fault
    assert re.fullmatch(r"asyncio/runners\.py:\d+ in run", innermost)
    code = Code()
    code.line("return event['id'][0]")
    generated = code.build("convert", "event")
    assert re.fullmatch(r"<convert>:3 in convert", places(raised(lambda: generated({"id": ""})))[-1])


def test_generated_code_has_no_place() -> None:
    space: dict[str, Any] = {"__name__": PERSON}
    exec(compile(f"def {PERSON}(): 1 / 0", f"{PERSON}.py", "exec"), space)
    alias = types.FunctionType(space[PERSON].__code__, globals())
    for function in (space[PERSON], alias):
        found = places(raised(function))
        assert found
        assert not any(PERSON in place for place in found)
    assert PERSON not in unexpected(made(PERSON)()).detail


def test_the_locations_reported_for_a_recursion_are_limited() -> None:
    def again() -> None:
        again()

    assert len(places(raised(again))) == MAX_PLACES


def test_an_exception_that_was_never_raised_has_no_location() -> None:
    assert unexpected(KeyError(PERSON)).detail == "the worker failed on this record: KeyError"
