"""The keys of a mapping file with their descriptions, and the JSON Schema made from them."""

from __future__ import annotations

from typing import Any

from worker.core.records import MAX_CALLS_PER_RECORD
from worker.customerio.reference import ALLOW_UNINSTALLED, DESTRUCTIVE_CALLS, RESERVED_PROPERTIES
from worker.formats.encoding import APICURIO_IDS, SCHEMA_IDS
from worker.formats.envelopes.envelopes import ENVELOPES
from worker.formats.formats import FORMATS
from worker.mapping.calls.specs import CALLS, CallSpec, Field, Kind

FILE_KEYS = {
    "topics": "The topics that these rules apply to: exact names, or patterns ^...$ (both anchors, no "
    "look-around).",
    "format": "How values are encoded. In JSON a Schema Registry prefix (0x00 and 4 bytes) is skipped; of text the "
    "event is {text: ...}.",
    "schema": "Where schemas are: in the registry of worker.yaml (schema_registry), or in a file.",
    "schema_id": "Where a record says its schema's id. auto: in a header, else in the prefix of 5 bytes; prefix8: in "
    "Apicurio's prefix of 9 bytes; none: nowhere, the schema is a file's.",
    "apicurio_id": "With `schema_id: prefix8`: which of Apicurio's ids it is (the serializer's "
    "apicurio.registry.use-id).",
    "message": "With `format: protobuf`: the message's full name, where neither registry nor record says it.",
    "envelope": "What stands around each event: nothing, a change event of Debezium, a CloudEvent (structured or "
    "binary), or `schema` and `payload` of Kafka Connect's JSON converter.",
    "snapshot": "With `envelope: debezium`: whether the records of a snapshot are ignored, or sent as all others are.",
    "key_format": "How keys are encoded, where a rule reads `_kafka.key`. Without it text, or JSON with the envelopes "
    "`debezium` and `connect` and `format: json`.",
    "unmatched": "What happens to an event that no rule matches.",
    "nulls": "Whether properties and traits whose expressions find nothing are left out or sent as null.",
    "reject_ids": "Strings that are never real ids, such as undefined; case-insensitive.",
    "let": "Names for expressions. Every expression below can use them as $name.",
    "defaults": "Fields for each call that does not give its own. Null takes a default away.",
    "tables": "Tables for lookup(table, key): keys and values, or the name of a .csv, .yaml or .json file.",
    "rules": "The first rule that matches an event applies.",
}
"""The keys of a mapping file, and their descriptions."""

RULE_KEYS = {
    "when": "A JMESPath expression. Without it the rule matches everything but tombstones.",
    "call": "The call to send: one of the API's calls, or a semantic call.",
    "calls": "Several calls for one event, sent in this order.",
    "mapper": "A Python function: module:function, or an entry point of the group pipelines_worker.mappers.",
    "allow": "The destructive calls that the mapper may make; application_uninstalled also for `event_from`.",
    "allow_overrides": "Reserved properties that the event's data may have: recipient, from_address, reply_to. "
    "They override settings of the campaigns that the event triggers.",
    "ignore": "Events that match are not for Customer.io. Takes only `when` and `let` beside it.",
    "let": "Names for expressions. `when` and all calls of the rule can use them as $name.",
    "nulls": FILE_KEYS["nulls"],
}
"""The keys of a rule besides the fields of its call."""

_FIELD_MEANINGS = {
    "userId": "The person: an id, or an email address.",
    "anonymousId": "An anonymous visitor.",
    "groupId": "The group (object). A record without one is rejected.",
    "previousId": "The person who is merged into `userId` and then deleted. A record without one is rejected.",
    "event": "The event's name, as literal text.",
    "event_from": "An expression for the event's name. A record with a reserved name is rejected.",
    "name": "The name of the page or screen.",
    "category": "The category of the page or screen.",
    "traits": "Attributes of the person or group.",
    "properties": "Attributes of the event.",
    "context": "Where it happened. Only calls with equal contexts share a request, so use few distinct values.",
    "integrations": "Which destinations receive the call.",
    "timestamp": "RFC 3339 text, or a whole number: epoch milliseconds from 10^11 on, seconds below. "
    "Without it the Kafka record's timestamp is sent; null sends none.",
    "messageId": "The event's own unique id; the messageId that is sent is derived from it.",
    "objectTypeId": "The kind of object: a whole number from 1 on.",
    "objectId": "The object; `group` calls it groupId.",
    "token": "The device's push token.",
    "deviceType": "The device's platform.",
    "deliveryId": "The delivery of a message that Customer.io sent.",
    "metric": "The delivery status of the message.",
    "recipient": "The address or device that the message went to.",
    "reason": "Why the delivery failed.",
    "href": "The link that was clicked.",
    "actionName": "The action that was taken.",
    "actionValue": "The action's value.",
    "actionType": "How the content was used.",
    "contentId": "The content.",
    "templateId": "The content's template.",
    "contentType": "The kind of content, such as in_app_content.",
}

_FIELD_EXAMPLES: dict[str, list[Any]] = {
    "userId": ["customer.id"],
    "event": ["Order Completed"],
    "event_from": ["join(' ', [object, action])"],
    "timestamp": ["occurred_at"],
    "messageId": ["event_id"],
    "properties": [{"order_id": "order.id", "currency": "'USD'"}, "data"],
    "traits": [{"email": "customer.email"}],
    "context": [{"ip": "client.ip"}],
    "deviceType": ["'ios'", "device.os"],
    "objectTypeId": [1, "object.type"],
}

CALL_KEYS = {
    "call": RULE_KEYS["call"],
    "event_from": _FIELD_MEANINGS["event_from"],
    "for_each": "A list: the call is made for each item, which is $item; its position, from 0, is $index.",
    **{name: _FIELD_MEANINGS.get(name, "") for spec in CALLS.values() for name in spec.fields},
}
"""The keys of all calls, and their descriptions."""

_NOT_EXPRESSIONS = (
    r"""^\s*(\$\.|\.[A-Za-z_"]|not\s+[A-Za-z_(])|^[^'"`]*"""
    r"""(\{\{|->|\+|[<>=]\s*-?[0-9]|[A-Za-z0-9_)\]]\s+(and|or|AND|OR)\s+[A-Za-z_(!])"""
)
"""Habits of other languages, that a pattern finds reliably: at the start, or before anything in quotes."""

_TEXT = {"type": "string", "minLength": 1}
_EXPRESSION = {"$ref": "#/$defs/expression"}
_NULLS = {"enum": ["omit", "send"]}


def mapping_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a mapping file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mapping file of the Kafka to Customer.io Pipelines worker",
        "description": "Which events become which calls. Values are JMESPath expressions; "
        "literal text is written \"'text'\".",
        "type": "object",
        "additionalProperties": False,
        "required": ["topics", "rules"],
        "properties": {key: _file_key(key) | {"description": text} for key, text in FILE_KEYS.items()},
        "$defs": {
            "expression": _TEXT | {"not": {"pattern": _NOT_EXPRESSIONS}},
            "value": _any_value(),
            "let": {
                "type": "object",
                "propertyNames": {"pattern": "^(?!(item|index)$)[A-Za-z_][A-Za-z0-9_]*$"},
                "additionalProperties": {"anyOf": [_EXPRESSION, {"type": ["number", "boolean"]}]},
                "examples": [{"order": "data.order || payload.order"}],
            },
            "call_name": {"enum": list(CALLS)},
            **{f"call_{name}": _call(spec) for name, spec in CALLS.items()},
            **{f"complete_{name}": _complete(spec) for name, spec in CALLS.items()},
            "rule": _rule(),
            "complete_rule": _complete_rule(),
        },
        # What a call lacks may be in `defaults`, or beside `calls`.
        "if": {"required": ["defaults"]},
        "else": {"properties": {"rules": {"items": {"$ref": "#/$defs/complete_rule"}}}},
        "dependentSchemas": {
            "snapshot": {"required": ["envelope"], "properties": {"envelope": {"const": "debezium"}}},
            "apicurio_id": {"required": ["schema_id"], "properties": {"schema_id": {"const": "prefix8"}}},
        },
    }


def _file_key(key: str) -> dict[str, Any]:
    texts = {"type": "array", "items": {"type": "string", "minLength": 1}}
    schemas: dict[str, dict[str, Any]] = {
        "topics": texts | {"minItems": 1, "examples": [["orders"], ["^shop\\.[a-z]+$"]]},
        "format": {"enum": [*FORMATS], "default": "json"},
        "envelope": {"enum": [*ENVELOPES], "default": "none"},
        "snapshot": {"enum": ["ignore", "send"], "default": "ignore"},
        "key_format": {"enum": [*FORMATS]},
        "schema": _TEXT | {"default": "registry", "examples": ["registry", "schemas/order.avsc"]},
        "schema_id": {"enum": [*SCHEMA_IDS], "default": "auto"},
        "apicurio_id": {"enum": [*APICURIO_IDS]},
        "message": _TEXT | {"examples": ["shop.v1.OrderPlaced"]},
        "unmatched": {"enum": ["ignore", "dead_letter"], "default": "ignore"},
        "nulls": _NULLS | {"default": "omit"},
        "reject_ids": texts | {"default": ["null", "undefined", "none", "nan", "[object Object]"]},
        "let": {"$ref": "#/$defs/let"},
        "defaults": {
            "type": "object",
            "properties": _fields_with_defaults()
            | {"timestamp": _field(CALLS["track"].fields["timestamp"], nullable=True)},
            "additionalProperties": False,
            "examples": [{"userId": "customer.id"}],
        },
        "tables": {
            "type": "object",
            "additionalProperties": {"anyOf": [_TEXT, {"type": "object"}]},
            "examples": [{"countries": {"DE": "Germany"}}, {"countries": "tables/countries.csv"}],
        },
        "rules": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/rule"}},
    }
    return schemas[key]


def _any_value() -> dict[str, Any]:
    """An expression, or a structure with expressions inside."""
    itself = {"$ref": "#/$defs/value"}
    return {
        "description": "A JMESPath expression; numbers, booleans, null, lists and objects stand for "
        "themselves.",
        "anyOf": [
            _EXPRESSION,
            {"type": ["number", "boolean", "null"]},
            {"type": "array", "items": itself},
            {"type": "object", "additionalProperties": itself},
        ],
    }


def _rule() -> dict[str, Any]:
    own: dict[str, dict[str, Any]] = {
        "when": _EXPRESSION | {"examples": ["type == 'order.completed'"]},
        "nulls": _NULLS,
        "let": {"$ref": "#/$defs/let"},
        "ignore": {"const": True},
        "calls": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_CALLS_PER_RECORD,
            "items": _one_of_calls() | {"unevaluatedProperties": False},
        },
        "mapper": _TEXT | {"examples": ["mappers.devices:device_changed"]},
        "allow": {
            "type": "array",
            "items": {"enum": [*CALLS, ALLOW_UNINSTALLED]},
            "examples": [sorted(DESTRUCTIVE_CALLS)[:1]],
        },
        "allow_overrides": {
            "type": "array",
            "items": {"enum": [*RESERVED_PROPERTIES]},
            "examples": [["recipient"]],
        },
    }
    own = {key: schema | {"description": RULE_KEYS[key]} for key, schema in own.items()}
    return {
        "type": "object",
        "properties": own,
        "oneOf": [{"required": [kind]} for kind in ("call", "calls", "mapper", "ignore")],
        "allOf": [
            {"if": {"required": ["call"]}, "then": _one_of_calls()},
            {
                "if": {"required": ["allow"], "not": {"required": ["mapper"]}},
                "then": {"properties": {"allow": {"items": {"const": ALLOW_UNINSTALLED}}}},
            },
            {"if": {"required": ["calls"]}, "then": {"properties": _fields_with_defaults(nullable=True)}},
            {
                "if": {"required": ["ignore"]},
                "then": {"propertyNames": {"enum": ["when", "let", "ignore"]}},
            },
        ],
        "unevaluatedProperties": False,
    }


def _complete_rule() -> dict[str, Any]:
    """A rule whose calls have everything that they need."""
    shared = [{"required": [name]} for name in _fields_with_defaults()]
    return {
        "if": {"required": ["calls"]},
        "then": {
            "if": {"not": {"anyOf": shared}},
            "then": {"properties": {"calls": {"items": _by_call("complete")}}},
        },
        "else": {"if": {"required": ["call"]}, "then": _by_call("complete")},
    }


def _fields_with_defaults(*, nullable: bool = False) -> dict[str, Any]:
    """The fields of all calls, except the event's name."""
    fields = {
        name: field for spec in CALLS.values() for name, field in spec.fields.items() if name != "event"
    }
    return {name: _field(field, nullable=nullable) for name, field in fields.items()}


def _one_of_calls() -> dict[str, Any]:
    """Any call; the value of `call` selects its schema."""
    return {
        "type": "object",
        "required": ["call"],
        "properties": {"call": {"$ref": "#/$defs/call_name", "description": RULE_KEYS["call"]}},
        **_by_call("call"),
    }


def _by_call(kind: str) -> dict[str, Any]:
    """The schema `call_...` or `complete_...` of the call that `call` names."""
    return {
        "allOf": [
            {
                "if": {"properties": {"call": {"const": name}}, "required": ["call"]},
                "then": {"$ref": f"#/$defs/{kind}_{name}"},
            }
            for name in CALLS
        ]
    }


def _call(spec: CallSpec) -> dict[str, Any]:
    for_each = _EXPRESSION | {"description": CALL_KEYS["for_each"], "examples": ["recipients"]}
    properties: dict[str, Any] = {"call": {"const": spec.name}, "for_each": for_each}
    for name, field in spec.fields.items():
        properties[name] = _field(field, nullable=name != "event")
    schema: dict[str, Any] = {"properties": properties, "required": ["call"]}
    if "event" in spec.fields:
        properties["event_from"] = _EXPRESSION | _words("event_from")
        schema["oneOf"] = [{"required": ["event"]}, {"required": ["event_from"]}]
    return schema


def _complete(spec: CallSpec) -> dict[str, Any]:
    """What a call needs, and may have from `defaults`."""
    choices = []
    if spec.one_of:
        choices.append({"anyOf": [{"required": [name]} for name in spec.one_of]})
    if spec.name_or_url:
        choices.append({"anyOf": [{"required": ["name"]}, {"required": ["properties"]}]})
    named = [name for name, field in spec.fields.items() if field.required and name != "event"]
    return {"required": named} | ({"allOf": choices} if choices else {})


def _field(field: Field, *, nullable: bool = False) -> dict[str, Any]:
    words = _words(field.name)
    null: list[dict[str, Any]] = [{"type": "null"}] if nullable else []
    match field.kind:
        case Kind.OBJECT:
            value = {"$ref": "#/$defs/value"}
            return words | {"anyOf": [_EXPRESSION, {"type": "object", "additionalProperties": value}, *null]}
        case Kind.IDENTITY | Kind.EVENT_ID | Kind.OBJECT_TYPE | Kind.INTEGER | Kind.TIME:
            return words | {"anyOf": [_EXPRESSION, {"type": "integer"}, *null]}
        case Kind.EVENT:
            return words | _TEXT
        case Kind.CHOICE:
            words = {"examples": [f"'{choice}'" for choice in field.choices]} | words
    return words | ({"anyOf": [_EXPRESSION, *null]} if nullable else _EXPRESSION)


def _words(name: str) -> dict[str, Any]:
    words: dict[str, Any] = {"description": _FIELD_MEANINGS[name]}
    return words | ({"examples": _FIELD_EXAMPLES[name]} if name in _FIELD_EXAMPLES else {})
