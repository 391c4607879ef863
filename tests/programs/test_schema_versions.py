"""`check --connect`: rules against every version of their topics' schemas."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.findings import Finding
from worker.adapters.schema_registry.subjects import subjects_of
from worker.demo.registry import Disturbance, Registry, running_registry
from worker.mapping.mappings import Mappings
from worker.programs.schema_versions import look_at_schemas
from worker.settings import Settings

RULES = """rules:
  - when: kind == 'paid'
    ignore: true
  - call: track
    event: Order Paid
    userId: customer
    properties: {total: total}
"""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry


@pytest.fixture
def look(registry: Registry, tmp_path: Path) -> Callable[..., Any]:
    async def look(head: str = "topics: [orders]\nformat: avro") -> list[Finding]:
        (tmp_path / "m.yaml").write_text(f"{head}\n{RULES}")
        mappings = Mappings.load(
            [str(tmp_path / "m.yaml")], mapper_path=[], base=tmp_path, dead_letter_topic="dead"
        )
        settings = Settings.model_validate({"schema_registry": {"url": registry.address}})
        return await look_at_schemas(settings, mappings)

    return look


def avro(*names: str, types: dict[str, Any] | None = None) -> str:
    types = types or {}
    fields = [{"name": name, "type": types.get(name, "string")} for name in names]
    return json.dumps({"type": "record", "name": "Order", "fields": fields})


def texts(findings: list[Finding]) -> list[str]:
    return [
        f"{finding.subject.partition('/')[0]}: {finding.text.partition(' with ')[0]}" for finding in findings
    ]


def problems(findings: list[Finding]) -> list[str]:
    assert all(problem.warning for finding in findings for problem in finding.problems)
    return [
        f"{problem.line}:{problem.column}: {problem.message}"
        for finding in findings
        for problem in finding.problems
    ]


async def test_rules_that_fit_every_version(registry: Registry, look: Any) -> None:
    registry.register("orders-value", avro("kind", "customer", "total"))
    registry.register("orders-value", avro("kind", "customer", "total", "coupon"))
    found = await look()
    assert texts(found) == ["schema orders-value: 2 versions, compared"]
    assert found[0].facts["versions"] == [1, 2]
    assert problems(found) == []


async def test_a_newer_version_breaks_a_rule(registry: Registry, look: Any) -> None:
    for number in range(1, 8):
        registry.register("orders-value", avro("kind", "customer", "total", f"field{number}"))
    registry.register("orders-value", avro("kind", "customer", "amount"))
    found = await look()
    assert problems(found) == ["9:25: version 8 of orders-value breaks rule 2: it has no 'total' here"]


async def test_a_type_that_the_rule_cannot_use(registry: Registry, look: Any) -> None:
    registry.register("orders-value", avro("kind", "customer", "total"))
    registry.register("orders-value", avro("kind", "customer", "total", types={"customer": "boolean"}))
    assert problems(await look()) == [
        "8:13: version 2 of orders-value breaks rule 2: userId takes a number or a string, and this is a boolean"
    ]


async def test_a_field_that_no_version_has(registry: Registry, look: Any) -> None:
    registry.register("orders-value", avro("kind", "customer"))
    registry.register("orders-value", avro("kind", "customer", "totals"))
    (problem,) = problems(await look())
    assert problem == "9:25: no version of orders-value has 'total' here"


async def test_protobuf_schemas_with_imports(registry: Registry, look: Any) -> None:
    registry.register("common", 'syntax = "proto3"; message Customer { string id = 1; }', "PROTOBUF")
    registry.register(
        "orders-value",
        'syntax = "proto3"; import "customer.proto"; message Order { string kind = 1; Customer customer = 2; }',
        "PROTOBUF",
        [{"name": "customer.proto", "subject": "common", "version": 1}],
    )
    assert problems(await look("topics: [orders]\nformat: protobuf")) == [
        "8:13: userId takes a number or a string, and this is an object",
        "9:25: orders-value has no 'total' here",
    ]


async def test_topics_without_a_subject_and_patterns(registry: Registry, look: Any) -> None:
    registry.register("orders.de-value", avro("kind", "customer", "total"))
    registry.register("orders.fr-value", avro("kind", "customer"))
    assert texts(await look("topics: [payments]\nformat: avro")) == [
        "schema of payments: no subject payments-value: not compared"
    ]
    found = await look("topics: ['^orders\\..*$']\nformat: avro")
    assert texts(found) == [
        "schema orders.de-value: 1 version, compared",
        "schema orders.fr-value: 1 version, compared",
    ]


async def test_a_schema_that_is_of_no_use_is_left_out(registry: Registry, look: Any) -> None:
    registry.register("orders-value", "{")
    registry.register("orders-value", avro("kind", "customer", "total"))
    assert texts(await look()) == ["schema orders-value: 2 versions, 1 of which were compared"]


async def test_json_and_schemas_of_files_need_no_registry(registry: Registry, look: Any) -> None:
    assert await look("topics: [orders]") == []
    assert registry.requests == []


async def test_a_registry_that_fails(registry: Registry, look: Any) -> None:
    registry.disturbance = Disturbance(500)
    (found,) = await look()
    assert [problem.message for problem in found.problems] == [
        "schema_registry.url: schemas cannot be read: the registry responds with status 500"
    ]


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("orders", ["orders-value"]),
        ("orders-eu", ["orders-eu-shop.Paid", "orders-eu-shop.Sent"]),
        ("^orders.*$", ["orders-value"]),
        ("payments", []),
    ],
)
def test_the_subjects_of_a_topic(topic: str, found: list[str]) -> None:
    names = ["orders-value", "orders-key", "orders-eu-shop.Paid", "orders-eu-shop.Sent", "shop.Paid"]
    assert subjects_of(topic, names) == found
