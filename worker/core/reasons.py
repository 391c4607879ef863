"""Why a record can never be delivered: stages, reason codes, and the exception that carries both."""

from __future__ import annotations

from enum import StrEnum

REASONS = {
    "EMPTY_VALUE": "The record's value has no content.",
    "INVALID_JSON": "The value is not JSON: bad syntax, bad UTF-8, NaN, half of a surrogate pair.",
    "NOT_AN_OBJECT": "The value is JSON, but not an object.",
    "INVALID_ENVELOPE": "The value is not in the envelope that the mapping names, or the envelope is wrong.",
    "INVALID_UTF8": "The value or key is not UTF-8 text, and the mapping says that it is.",
    "INVALID_AVRO": "The value or key is not valid Avro for its schema, or the schema itself is not valid.",
    "INVALID_PROTOBUF": "The value or key is not valid Protobuf for its schema, or the schema itself is not valid.",
    "SCHEMA_NOT_FOUND": "The schema registry does not know the id of the record's schema.",
    "TOO_DEEP": "Objects and lists are nested too deeply.",
    "UNMATCHED": "No rule matches, and the mapping says `unmatched: dead_letter`.",
    "EXPRESSION_FAILED": "An expression failed on this event.",
    "MAPPING_TOO_SLOW": "Mapping the record took longer than `limits.mapping_timeout`, twice.",
    "MAPPER_FAILED": "A Python mapper raised an exception.",
    "MAPPER_REJECTED": "A Python mapper rejected the record, without a code of its own.",
    "MAPPER_RETURNED_JUNK": "A Python mapper returned something that is neither calls nor None.",
    "TOO_MANY_CALLS": "The record would become more than 256 calls.",
    "NOT_A_CALL": "A call is not an object.",
    "UNKNOWN_TYPE": "A call's type is not one of the API's six.",
    "UNKNOWN_FIELD": "A call has a top-level field that its type does not have.",
    "MISSING_ID": "A required id is null, blank or missing.",
    "INVALID_ID": "An id is neither text nor, where that is allowed, a whole number.",
    "FORBIDDEN_ID": "An id is one of the strings in `reject_ids`, such as `undefined`.",
    "INEXACT_NUMBER": "A number cannot be sent exactly: an integer outside 64 bits, NaN, Infinity.",
    "INVALID_NAME": "An event's name is blank or not text.",
    "RESERVED_NAME": "An event's name is, or looks like, one that Customer.io acts on.",
    "RESERVED_PROPERTY": "Data has a property that redirects campaign mail: `recipient`, `from_address`, `reply_to`.",
    "NOT_ALLOWED": "A mapper, or a computed event name, made a destructive call that its rule does not allow.",
    "MISSING_FIELD": "A required field is null, blank or missing.",
    "INVALID_TYPE": "A field does not have the type that the API documents.",
    "INVALID_VALUE": "A field has a value that the API does not document.",
    "INVALID_UNSUBSCRIBED": "The trait `unsubscribed` is not true, false, 0, 1, 'true' or 'false'.",
    "LIMIT_EXCEEDED": "An id, name or trait is larger than Customer.io takes, and `limits.profile` is `reject`.",
    "INVALID_TIMESTAMP": "A timestamp is neither RFC 3339 nor a whole number, or its date does not exist.",
    "UNREADABLE_HEADERS": "A rule or mapper reads the record's headers, and a header's name is not UTF-8.",
    "INVALID_TEXT": "A call holds text that cannot be written as UTF-8.",
    "UNENCODABLE": "A call holds a value that is not JSON.",
    "CALL_TOO_LARGE": "A call is larger than `max_call_bytes`.",
    "UNEXPECTED_FAULT": "The worker failed on this record because of a bug.",
    "NO_ANSWER": "The API did not respond to this call within `delivery.give_up_after`.",
}
"""The worker's own reason codes for rejected records, with their meaning.

Further codes come from mappers (`Reject("CODE")`) and from the API's responses (`HTTP_400`, ...).
"""


class Stage(StrEnum):
    """The step at which a record was found undeliverable (`dlq.stage`)."""

    DECODE = "decode"
    MAP = "map"
    VALIDATE = "validate"
    DELIVER = "deliver"


class Rejected(Exception):  # noqa: N818 - a verdict on a record, not a fault of the program
    """This record can never be delivered as it is and belongs on the dead-letter topic.

    Raised while a record is decoded, mapped and validated (`formats`, `mapping`, `customerio`). The generated converter
    catches it (`worker/mapping/compiler/loop.py`).

    Attributes:
        stage: the step that found it.
        reason: an upper-case code to search and group by, such as `INVALID_JSON`.
        detail: a sentence for people. It names fields and limits, never a value from the record.
        call_index: which of the record's calls, counted from 0; None if no single call is the cause.
        rule: the mapping rule that made the call, as `file:line`; None where no rule was reached.
        field: the key of the mapping file whose value was refused, such as `userId` or `properties.total`; None where
            it is not known.
        at: where that key, or else its call or rule, stands in the mapping file, as `file:line:column`.
    """

    field: str | None = None
    at: str | None = None

    def __init__(
        self,
        stage: Stage,
        reason: str,
        detail: str,
        *,
        call_index: int | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.stage = stage
        self.reason = reason
        self.detail = detail
        self.call_index = call_index
        self.rule = rule
