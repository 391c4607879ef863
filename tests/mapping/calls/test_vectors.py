"""Calls that the API's documents, examples and SDK tests show, to accept or to refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import BatchError, check_batch
from worker.core.reasons import Rejected
from worker.customerio.catalog import warnings
from worker.customerio.reference import DESTRUCTIVE_CALLS
from worker.mapping.calls.assembly import checked
from worker.mapping.calls.encoding import encode

VECTORS = Path(__file__).parents[2] / "vectors"


def vectors(name: str) -> list[Any]:
    lines = (VECTORS / name).read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line)["call"], id=json.loads(line)["rule"][:80]) for line in lines]


def take(call: dict[str, Any]) -> list[str]:
    """Check a call, or a batch and all its calls; answer the warnings."""
    if "type" in call:
        # The documented identify by email alone is the one vector that strict mode refuses.
        valid = checked(call, allow=DESTRUCTIVE_CALLS, strict=call.get("userId") != "")
        encode(valid)
        return warnings(valid)
    check_batch(call)
    return [warning for item in call["batch"] for warning in take(item)]


@pytest.mark.parametrize("call", vectors("valid.jsonl"))
def test_a_valid_call_is_accepted_without_a_warning_of_its_types(call: dict[str, Any]) -> None:
    assert not [warning for warning in take(call) if "should be" in warning and "objectTypeId" not in warning]


@pytest.mark.parametrize("call", vectors("invalid.jsonl"))
def test_an_invalid_call_is_refused_or_where_the_rule_is_advice_warned_of(call: dict[str, Any]) -> None:
    try:
        found = take(call)
    except (Rejected, BatchError):
        return
    assert len([warning for warning in found if "should be" in warning]) == 1


def test_only_two_vectors_are_advice() -> None:
    accepted = []
    for line in (VECTORS / "invalid.jsonl").read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        try:
            take(vector["call"])
        except (Rejected, BatchError):
            continue
        accepted.append(vector["rule"])
    assert [rule.partition(":")[0] for rule in accepted] == [
        "semantic property type (advisory",
        "semantic enum (advisory)",
    ]
