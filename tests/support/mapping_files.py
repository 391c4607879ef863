"""Mapping files and events that fit them, drawn by Hypothesis."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

FIELDS = ("a", "b", "c", "id", "who", "at", "kind", "list")
"""What events hold, often enough for expressions to find it."""

_ids = st.sampled_from(
    ["u-1", "", "  ", "null", " NULL ", "undeﬁned", "é", "x" * 40, "none.", "n", "\u3000", " pad"]
)
_odd = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.0, 1.5, 2**53, 2**63, 2**64 - 1, [], {}, [1], {"b": 1}]
)
_times = st.sampled_from(
    [
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00.5+02:00",
        "yesterday",
        1_763_719_200_000,
        1_763_719_200,
        1e20,
    ]
)
_words = st.sampled_from(
    ["x", "y", "order", "User Deleted", " user deleted ", "Order Completed", "ios", "opened"]
)
_leaves = _ids | _odd | _times | _words
values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=6,
)
_good_ids = st.sampled_from(["u-1", "cust-17", "157963456373623802", 42]) | _ids
_objects_found = st.dictionaries(st.sampled_from(FIELDS), _leaves, max_size=4)
_usual = {
    "id": _good_ids,
    "who": _good_ids,
    "at": st.just("2026-11-21T10:00:00Z") | _times,
    "kind": _words,
    "a": _objects_found | values,
    "b": st.integers(0, 3) | values,
    "c": st.fixed_dictionaries({"id": _good_ids, "b": values}) | values,
    "list": st.lists(_objects_found, max_size=3) | values,
}
events = (
    st.fixed_dictionaries({}, optional=_usual)
    | st.fixed_dictionaries(_usual)
    | st.fixed_dictionaries(dict.fromkeys(FIELDS, values))
    | st.just({"_kafka": {"key": "own"}})
)

_plain_paths = st.sampled_from(
    [
        "a", "b", "id", "who", "at", "kind", "a.b", "c.id", "list[0]", "list[].b", "_kafka.key", "_kafka.offset",
        "_kafka.headers.h", "_kafka.tombstone", "@", "length(list)", "lower(kind)", "divide(a, b)", "a || b", "!(a)",
        "to_string(id)", "list[?b == `1`]", "{x: a, y: c.b}", "'text'", "`5`", "`null`", "a == b", "rfc3339(at)",
        "default(lower(a), kind)", "try(divide(a, b), c.b)", "lookup('codes', kind)",
    ]
)  # fmt: skip
_paths = _plain_paths | st.sampled_from(
    [
        "$first",
        "$own.b",
        "$last",
        "list[?b == $own].id",
        "if(a, $own, b)",
        "try(divide(a, b), $last)",
        "$first || $own",
    ]
)
_conditions = st.sampled_from(
    ["kind == 'x'", "kind == 'y'", "'order' == kind", "kind == 'x' || kind == 'ios'",
     "(kind == 'x' || kind == 'order') && divide(a, b) > `1`", "kind == 'y' && a && b", "kind == 'opened'",
     "a", "!a", "a > b", "_kafka.key == 'key'", "_kafka.tombstone",
     "$first == 'x'", "if($own, a, kind == 'y')", "length(list) > `1`", "divide(a, b) > `1`", "kind == 'x' && b",
     "`true`", "starts_with(kind, 'o')"]
)  # fmt: skip
_structures = st.recursive(
    _paths | st.sampled_from([1, 1.5, True, None]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("pqr"), inner, max_size=3),
    max_leaves=5,
)
_found_objects = st.sampled_from(
    ["a", "c", "@", "list[0]", "{x: a, y: c.b}", "a.b", "_kafka.headers", "merge(a, c)"]
)
_objects = st.dictionaries(st.sampled_from("pqrs"), _structures, max_size=4) | _found_objects
_traits = (
    _objects
    | st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["email", "object_type_id", "objectTypeId", "p"], _structures)
    )
    | st.sampled_from(["{email: a, object_type_id: b}", "{email: kind}"])
)
_texts = st.sampled_from(["kind", "'text'", "a", "c.id", "lower(kind)", "id", "trim(who)"])
_identities = st.sampled_from(["id", "who", "c.id", "a", "_kafka.key", "lower(id)", "'someone'", 7])
_times_given = st.sampled_from(["at", "a", "c.at", 1_763_719_200])

_common = {
    "timestamp": _times_given,
    "messageId": _identities,
}
_contexts = {
    "context": st.dictionaries(st.sampled_from(["ip", "p", "active"]), _structures, max_size=2)
    | _found_objects,
    "integrations": st.dictionaries(st.sampled_from(["All", "p"]), st.booleans() | _structures, max_size=2),
}


def _call(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    rarely = st.fixed_dictionaries({}, optional=_contexts)
    plain = st.fixed_dictionaries(required, optional=optional | _common)
    return plain | st.builds(lambda call, more: {**call, **more}, plain, rarely)


def _said(name: str) -> st.SearchStrategy[str]:
    return st.just(name)


_somebody = st.sampled_from([("userId",), ("anonymousId",), ("userId", "anonymousId")])
_person = {"userId": _identities, "anonymousId": _identities}
_event_names = st.sampled_from(["Order Completed", "Thing", "é"])

calls = st.one_of(
    _call(
        {"call": _said("identify"), "userId": _identities}, {"anonymousId": _identities, "traits": _traits}
    ),
    _call({"call": _said("identify"), "anonymousId": _identities}, {"traits": _traits}),
    _call({"call": _said("track"), "event": _event_names, "userId": _identities}, {"properties": _objects}),
    _call(
        {"call": _said("track"), "event_from": _texts, "anonymousId": _identities},
        {"properties": _objects, "userId": _identities, "groupId": _identities},
    ),
    _call(
        {"call": st.sampled_from(["page", "screen"]), "userId": _identities, "name": _texts},
        {"category": _texts, "properties": _objects},
    ),
    _call(
        {
            "call": _said("page"),
            "anonymousId": _identities,
            "properties": st.just({"url": "kind"}) | _found_objects,
        },
        {"name": _texts},
    ),
    _call(
        {"call": _said("group"), "groupId": _identities},
        _person | {"traits": _traits, "objectTypeId": st.sampled_from(["a", "c.b", 2])},
    ),
    _call({"call": _said("alias"), "userId": _identities, "previousId": _identities}, {}),
    _call({"call": _said("delete_user"), "userId": _identities}, {"properties": _objects}),
    _call(
        {"call": _said("create_or_update_device"), "userId": _identities, "token": _texts},
        {"deviceType": st.sampled_from(["'ios'", "kind"]), "properties": _objects},
    ),
    _call({"call": _said("delete_object"), "objectId": _identities}, _person | {"properties": _objects}),
    _call(
        {
            "call": _said("report_delivery_event"),
            "deliveryId": _identities,
            "metric": st.just("'opened'") | _texts,
        },
        _person | {"reason": _texts},
    ),
)

_shared = {
    "userId": _identities,
    "timestamp": st.none() | _times_given,
    "messageId": _identities,
    "properties": _objects,
}
_in_each = st.sampled_from(["$item", "$item.id", "$item.b", "$index", "[$item.b, a]", "lower($item.kind)"])
_lists = st.sampled_from(["list", "list[?b]", "[a, b]", "$own || list", "$first", "a", "`null`"])


def _repeated(call: dict[str, Any], each: str, value: str, field: str) -> dict[str, Any]:
    """A call for each item of a list, with a value of the item in one of its fields."""
    return {**call, "for_each": each} | ({field: value} if field in call else {})


_repeats = st.builds(
    _repeated, calls, _lists, _in_each, st.sampled_from(["userId", "anonymousId", "messageId", "timestamp"])
)
_each_alone = st.builds(
    lambda value, each: {
        "call": "track",
        "event": "E",
        "userId": "id",
        "for_each": each,
        "properties": {"p": value, "q": "$item.b"},
    },
    st.sampled_from(["$item.id", "$item.a.b", "$item.b[0].id", "c.id"]),
    st.sampled_from(["list", "a.list", "c.list", "$first"]),
)
"""Calls that use only parts of items, so that these are decoded to structs."""
_lets = st.dictionaries(st.just("own"), _plain_paths | st.just("$first.b"), max_size=1)
_ignore = st.fixed_dictionaries({"ignore": st.just(value=True), "when": _conditions})
_nulls = {"nulls": st.sampled_from(["omit", "send"])}
_one_call = st.builds(
    lambda call, more: {**call, **more},
    calls,
    st.fixed_dictionaries({}, optional={"when": _conditions, "let": _lets} | _nulls),
)
_several = st.fixed_dictionaries(
    {"calls": st.lists(calls | _repeats, min_size=1, max_size=3)},
    optional={"when": _conditions, "let": _lets} | _nulls | _shared,
)
mapping_files = st.fixed_dictionaries(
    {
        "topics": st.just(["orders"]),
        "rules": st.lists(_one_call | _several | _ignore, min_size=1, max_size=4)
        | st.lists(_each_alone, max_size=2, min_size=1),
        "let": st.fixed_dictionaries(
            {"first": _plain_paths, "own": _plain_paths, "last": st.just("$first || kind")}
        ),
        "tables": st.just({"codes": {"x": "ex", "1": [1], "order": {"b": 2}}}),
    },
    optional={
        "defaults": st.fixed_dictionaries({}, optional=_shared),
        "unmatched": st.sampled_from(["ignore", "dead_letter"]),
        "reject_ids": st.sampled_from([[], ["u-1", "x"], ["null", "undefined"]]),
    }
    | _nulls,
)
"""A mapping file's values; see `as_yaml`."""


def as_yaml(value: Any) -> str:
    """The values as YAML in flow style, with words unquoted, as people write them; each rule has a line of its own."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_yaml(key)}: {as_yaml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        lines = ",\n".join(map(as_yaml, value))
        return f"[{lines}]"
    if isinstance(value, str) and value.isidentifier() and value != "null":
        return value
    return json.dumps(value)
