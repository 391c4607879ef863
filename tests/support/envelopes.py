"""Envelopes for tests: events wrapped in them as their producers do, and wrapped wrongly."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.mapping_files import events, values

Headers = list[tuple[str, bytes | None]]
Wrapped = tuple[Any, Headers]
"""A record's value, as JSON, and its headers."""

SOURCE = {"connector": "postgresql", "name": "shop", "db": "shop", "table": "users", "ts_ms": 1763719200123}
UNAVAILABLE = "__debezium_unavailable_value"

_rows = st.none() | events | st.fixed_dictionaries({"id": st.just(1), "a": st.just(UNAVAILABLE)})
_sources = st.sampled_from(
    [
        SOURCE,
        {**SOURCE, "snapshot": "false"},
        {**SOURCE, "snapshot": False},
        {**SOURCE, "snapshot": "last"},
        None,
    ]
)
_changes = st.fixed_dictionaries(
    {"before": _rows, "after": _rows, "source": _sources, "op": st.sampled_from("ccuuddrtmx")},
    optional={"ts_ms": st.sampled_from([1763719200999, "x", None, 10**18])},
)
_COLUMNS = [
    {"field": "id", "type": "string"},
    {"field": "a", "type": "struct"},
    {"field": "b", "type": "int32"},
    {"field": "list", "type": "array"},
    {"field": "kind", "type": "boolean"},
]
_schemas = st.sampled_from(
    [
        {"type": "struct", "fields": [{"type": "struct", "field": "after", "fields": _COLUMNS}, *_COLUMNS]},
        {"type": "struct", "fields": _COLUMNS[:2]},
        {"type": "struct", "fields": [5, {"field": "id", "type": {"a": 1}}, {"field": "after", "fields": 7}]},
        {"type": "struct", "fields": [{"field": "op", "type": "string"}]},
        None,
        {},
        {"type": "string"},
        5,
    ]
)
_odd_changes = st.sampled_from(
    [
        {"ts_ms": 1763719200000},
        {"status": "BEGIN", "id": "1", "event_count": None, "data_collections": None, "ts_ms": 1},
        {"op": "c", "after": '{"id": "1", "a": {"b": 2}}', "source": SOURCE},
        {"op": "u", "after": "no JSON", "source": SOURCE},
        {"op": "u", "after": '{"id": "u-1"}', "before": '{"a": {"id": 5}}', "source": SOURCE},
        {"op": "u", "after": '{"id": "u-1"}', "before": "no JSON", "source": SOURCE},
        {"op": "d", "before": '{"id": "u-1", "a": {"b": [1]}}', "source": SOURCE},
        {"op": "u", "after": '{"id": "u-1", "a": "__debezium_unavailable_value"}', "source": SOURCE},
        {"op": 5, "after": {}},
        {"op": "c", "after": [1]},
        {"op": "c", "after": {"id": "u-1"}, "source": "text"},
        {"schema": None, "payload": {"op": "c", "after": {}}},
        {},
    ]
)


def _with_schema(payload: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"schema": _schemas, "payload": payload}) | st.fixed_dictionaries(
        {}, optional={"payload": payload, "schema": _schemas}
    )


_no_headers: st.SearchStrategy[Headers] = st.just([])
_any_change = _changes | _odd_changes
_debezium = st.tuples(st.none() | _any_change | _with_schema(_any_change) | events, _no_headers)
_connect = st.tuples(
    st.none() | _with_schema(events | st.none() | values) | events | _with_schema(_with_schema(events)),
    _no_headers,
)

_attributes = st.fixed_dictionaries(
    {
        "specversion": st.sampled_from(["1.0", "1.0", "1.0", "0.3", "2.0", 1.0]),
        "id": st.sampled_from(["e-1", "e-1", "e-1", "", 7, "null"]),
        "source": st.sampled_from(["/shop", "/shop", "/shop", None]),
        "type": st.sampled_from(["order", "x", "x"]),
    },
    optional={
        "time": st.sampled_from(["2026-11-21T10:00:00Z", "yesterday", 5, None]),
        "subject": st.sampled_from(["s", None, ["s"]]),
        "datacontenttype": st.sampled_from(["application/json", "application/xml"]),
        "ext": values,
    },
)
_datas = st.fixed_dictionaries(
    {},
    optional={
        "data": events | values | _attributes,
        "data_base64": st.sampled_from(["eyJpZCI6ICJ1LTEifQ==", "!", "W10=", 5]),
    },
)
_structured_types: list[Headers] = [
    [],
    [("content-type", b"application/cloudevents+json; charset=UTF-8")],
    [("content-type", b"application/cloudevents-batch+json")],
    [("content-type", b"application/json"), ("content-type", b"application/cloudevents+json")],
    [("content-type", b"application/json")],
]
_structured: st.SearchStrategy[Wrapped] = st.tuples(
    st.builds(lambda one, two: one | two, _attributes, _datas), st.sampled_from(_structured_types)
)


def _header_values(attributes: dict[str, Any]) -> Headers:
    return [(f"ce_{name}", str(value).encode()) for name, value in attributes.items() if value is not None]


_binary = st.tuples(
    st.none() | events | _attributes | values,
    st.builds(
        lambda attributes, more: _header_values(attributes) + more,
        _attributes,
        st.sampled_from(
            [
                [("content-type", b"application/json")],
                [],
                [("content-type", b"application/xml")],
                [("ce_id", b"\xff"), ("content-type", b"application/json")],
                [("ce_ext", b"\xff")],
                [("content-type", b"application/vnd.shop+json")],
            ]
        ),
    ),
)

wrapped: dict[str, st.SearchStrategy[Wrapped]] = {
    "debezium": _debezium,
    "connect": _connect,
    "cloudevents": _structured | _binary,
}
"""Values and headers for each envelope, right and wrong."""
