"""What a schema contradicts in a mapping file: fields that it does not have, types that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from worker.documents.document import parse
from worker.formats.description import (
    ANYTHING,
    BOOLEAN,
    DATE,
    DECIMAL,
    NUMBER,
    OBJECT,
    TEXT,
    TIMESTAMP,
    Branch,
    Description,
    either,
    enum_of,
    list_of,
    map_of,
    object_of,
    of,
    optional,
)
from worker.mapping.files.lint.schemas import Version, schema_findings

LINE = object_of({"sku": of(TEXT), "name": optional(of(TEXT)), "price": DECIMAL, "quantity": of(NUMBER)})
ORDER = object_of(
    {
        "type": enum_of(["PLACED", "PAID"]),
        "total": of(NUMBER),
        "paid": of(BOOLEAN),
        "day": DATE,
        "at": TIMESTAMP,
        "customer": object_of({"id": of(TEXT), "email": optional(of(TEXT))}),
        "lines": list_of(LINE),
        "labels": map_of(of(TEXT)),
        "data": ANYTHING,
        "contact": either([of(TEXT), object_of({"phone": of(TEXT)})]),
    }
)


def rule(properties: str = "{}", *, when: str = "type == 'PAID'", user: str = "customer.id") -> str:
    return f"""topics: [orders]
rules:
  - when: {when}
    call: track
    event: Order Paid
    userId: {user}
    properties: {properties}
"""


def said(text: str, *versions: Description, subject: str = "orders-value") -> list[str]:
    named = [Version(f"version {number}", each) for number, each in enumerate(versions or (ORDER,), 1)]
    return [str(problem) for problem in schema_findings(parse(text, "m.yaml"), {subject: named})]


def of_property(expression: str, *versions: Description) -> list[str]:
    written = expression if expression.isidentifier() else f'"{expression}"'
    found = said(rule(f"\n      p: {written}"), *versions)
    return [line.partition("warning: ")[2] for line in found]


@pytest.mark.parametrize(
    "expression",
    [
        "total",
        "customer.email || labels.any",
        "lines[].{sku: sku, price: price}",
        "lines[?quantity > `1`].sku",
        "lines[?name == 'x'] | [0].sku",
        "lines[0:2].sku",
        "sort_by(lines, &sku)[0].name",
        "map(&sku, lines)",
        "max_by(lines, &quantity).sku",
        "labels.*",
        "labels.anything",
        "data.any.thing[0].at.all",
        "contact.phone",
        "contact",
        "add(lines[0].price, total)",
        "concat(total, paid)",
        "join(',', lines[].sku)",
        "if(paid, total, day)",
        "default(customer.email, 'x')",
        "lower(data)",
        "lookup('x', total)",
        "customer.email == `null`",
        "to_string(lines)",
        "length(lines)",
        "@",
        "[total, paid]",
        "keys(labels)",
        "_kafka.key.anything",
        "merge(customer, labels).anything",
        "from_entries(to_entries(customer)).id",
        "{key: _kafka.key, id: customer.id} | key.anything",
        "keys(customer)[0]",
        "parse_json(customer.id).a.b[0]",
        "to_array(lines)[0].sku",
        "values(labels)[0].anything",
        "split(customer.id, '-')[1]",
    ],
)
def test_what_the_schema_allows(expression: str) -> None:
    assert of_property(expression) == []


@pytest.mark.parametrize(
    ("expression", "finding"),
    [
        ("totl", "orders-value has no 'totl' here (did you mean 'total'?)"),
        ("customer.emial", "orders-value has no 'emial' here (did you mean 'email'?)"),
        ("customer.x", "orders-value has no 'x' here (it has id, email)"),
        ("lines[].skuu", "orders-value has no 'skuu' here (did you mean 'sku'?)"),
        ("lines[?qty > `1`].sku", "orders-value has no 'qty' here (it has sku, name, price, quantity)"),
        ("map(&skuu, lines)", "orders-value has no 'skuu' here (did you mean 'sku'?)"),
        ("totl || total", "orders-value has no 'totl' here (did you mean 'total'?)"),
        ("contact.fax", "orders-value has no 'fax' here (it has phone)"),
        (
            "lines.sku",
            "a list has no 'sku', and it is a list in the schema (write lines[].sku or lines[0].sku)",
        ),
        ("customer.id.x", "a string has no 'x', and it is a string in the schema"),
        ("labels.a.b", "a string has no 'b', and it is a string in the schema"),
        ("total[0]", "[...] selects from lists, and this is a number in the schema"),
        ("customer[].id", "[...] selects from lists, and this is an object in the schema"),
        ("total.*", "* takes an object, and this is a number in the schema"),
        (
            "lower(total)",
            "lower() is given a number in the schema, which it does not take: the result is null",
        ),
        (
            "sum(lines[].price)",
            "sum() is given a list of strings in the schema, which it does not take: the result is null",
        ),
        ("total == '5'", "compared with a string, but in the schema it is a number (write `5`)"),
        ("paid == 'true'", "compared with a string, but in the schema it is a boolean (write `true`)"),
        ("total == day", "in the schema the left side is a number and the right side is a string"),
        ("paid > `1`", "compared with a number, but in the schema it is a boolean"),
        ("type == 'PAYD'", "the enum has no 'PAYD' (did you mean 'PAID'?)"),
    ],
)
def test_what_it_contradicts(expression: str, finding: str) -> None:
    assert of_property(expression) == [finding]


@pytest.mark.parametrize(
    ("field", "finding"),
    [
        ("userId: customer", "userId takes a number or a string, and this is an object"),
        ("userId: paid", "userId takes a number or a string, and this is a boolean"),
        ("timestamp: paid", "timestamp takes a number or a string, and this is a boolean"),
        ("timestamp: day", "timestamp: the text is a date without a time: parse_time() reads it"),
        ("messageId: lines", "messageId takes a number or a string, and this is a list"),
        ("properties: total", "properties takes an object, and this is a number"),
        ("for_each: customer", "for_each takes a list, and this is an object in the schema"),
    ],
)
def test_types_that_a_field_of_a_call_does_not_take(field: str, finding: str) -> None:
    text = rule().replace("    properties: {}\n", f"    {field}\n")
    text = text.replace("    userId: customer.id\n", "") if field.startswith("userId") else text
    assert [line.partition("warning: ")[2] for line in said(text)] == [finding]


@pytest.mark.parametrize("field", ["timestamp: at", "timestamp: total", "userId: total", "properties: data"])
def test_types_that_a_field_of_a_call_takes(field: str) -> None:
    text = rule().replace("    properties: {}\n", f"    {field}\n")
    text = text.replace("    userId: customer.id\n", "") if field.startswith("userId") else text
    assert said(text) == []


def test_a_finding_has_the_place_in_the_expression() -> None:
    (line,) = said(rule(when="type == 'PAID' && totl > `1`"))
    assert line.startswith("m.yaml:3:29: warning: orders-value has no 'totl' here")


def test_names_of_let_and_for_each_are_followed() -> None:
    text = """topics: [orders]
let: {who: customer, lins: lins}
rules:
  - calls:
      - call: track
        for_each: lines
        event: Line
        userId: $who.idd
        properties: {sku: $item.skuu, nr: $index, other: $lins.x}
"""
    assert [line.partition("warning: ")[2].partition(" (")[0] for line in said(text)] == [
        "orders-value has no 'lins' here",
        "orders-value has no 'idd' here",
        "orders-value has no 'skuu' here",
    ]


def without(*names: str) -> Description:
    return object_of({name: each for name, each in ORDER.branches[0].fields.items() if name not in names})


def test_a_version_that_dropped_a_field_breaks_the_rule() -> None:
    (said,) = of_property("total", ORDER, without("total"))
    assert said.startswith("version 2 of orders-value breaks rule 1: it has no 'total' here (it has type, ")


def test_a_field_that_a_newer_version_added_is_no_finding() -> None:
    assert of_property("total", without("total"), ORDER) == []


def test_a_field_that_no_version_has_is_found_once() -> None:
    assert of_property("totl", without("total"), ORDER) == [
        "no version of orders-value has 'totl' here (did you mean 'total'?)"
    ]


def test_an_alternative_covers_a_field_that_was_renamed() -> None:
    renamed = object_of({**without("total").branches[0].fields, "amount": of(NUMBER)})
    assert of_property("amount || total", ORDER, renamed) == []
    assert of_property("default(amount, total)", ORDER, renamed) == []


def test_a_type_that_changed_breaks_the_rule() -> None:
    changed = object_of({**ORDER.branches[0].fields, "total": of(BOOLEAN)})
    found = (
        "version 2 of orders-value breaks rule 1: round() is given a boolean and a number in the schema, "
        "which it does not take: the result is null"
    )
    assert of_property("round(total, `2`)", ORDER, changed) == [found]


def findings_of(text: str, subjects: Mapping[str, Sequence[Description]]) -> list[str]:
    named = {
        name: [Version(f"version {number}", each) for number, each in enumerate(versions, 1)]
        for name, versions in subjects.items()
    }
    return [problem.message for problem in schema_findings(parse(text, "m.yaml"), named)]


def test_what_one_subject_lacks_another_may_have() -> None:
    other = object_of({"type": of(TEXT), "customer": object_of({"id": of(TEXT)})})
    subjects = {"orders-Placed": [ORDER], "orders-Cancelled": [other]}
    assert findings_of(rule("{a: total}"), subjects) == []
    assert findings_of(rule("{a: totl}"), subjects) == [
        "no version of orders-Placed or orders-Cancelled has 'totl' here"
    ]


def test_recursive_types_end() -> None:
    node = Branch(OBJECT)
    node.fields = {"name": of(TEXT), "next": Description((node,), optional=True)}
    tree = object_of({"node": Description((node,))})
    text = rule("{a: node.next.next.name, b: node.next.nam}", when="node", user="node.name")
    assert findings_of(text, {"s": [tree, tree]}) == ["no version of s has 'nam' here"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_rows_of_a_change_event(wrapped: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    row = object_of({"id": of(NUMBER), "email": optional(of(TEXT))})
    change = object_of(
        {
            "before": optional(row),
            "after": optional(row),
            "source": object_of({"ts_ms": of(NUMBER)}),
            "op": of(TEXT),
        }
    )
    if wrapped:
        change = object_of({"schema": ANYTHING, "payload": optional(change)})
    text = """topics: [customers]
envelope: debezium
rules:
  - when: _change.op == 'creat' && _change.source.ts_ms
    call: identify
    userId: id
    traits: {email: emial, was: _change.before.email, db: _change.source.dbb, after: after.email}
"""
    assert findings_of(text, {"customers-value": [change]}) == [
        "the enum has no 'creat'",
        "customers-value has no 'emial' here",
        "customers-value has no 'dbb' here",
        "customers-value has no 'after' here",
    ]


def test_values_that_are_in_no_such_envelope() -> None:
    text = rule().replace("rules:", "envelope: debezium\nrules:")
    assert findings_of(text, {"orders-value": [ORDER]}) == [
        "values of orders-value are in no envelope of this kind, by their schema"
    ]


def test_the_data_of_a_cloud_event() -> None:
    event = object_of({name: of(TEXT) for name in ("specversion", "id", "source", "type")} | {"data": ORDER})
    text = rule("{a: totl}").replace("rules:", "envelope: cloudevents\nrules:")
    for values in (event, ORDER):  # structured, and binary
        assert findings_of(text, {"orders-value": [values]}) == ["orders-value has no 'totl' here"]
