"""Notices about calls that are sent but may not have the intended effect.

They are counted by kind, and logged once for each rule and kind.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Notice(StrEnum):
    """A kind of notice: a label of a metric, so it names no field and no value of a record."""

    FUTURE_TIME = "future_time"
    RESERVED_TRAIT = "reserved_trait"
    ID_LENGTH = "id_length"
    EVENT_NAME_LENGTH = "event_name_length"
    TRAIT_NAME_LENGTH = "trait_name_length"
    TRAIT_VALUE_SIZE = "trait_value_size"
    TRAIT_COUNT = "trait_count"


MEANINGS = {
    Notice.FUTURE_TIME: "a time was later than its record by more than limits.future: the record's time was sent",
    Notice.RESERVED_TRAIT: "a trait `id` or `cio_id` came with the data: Customer.io reads both as identifiers",
    Notice.ID_LENGTH: "an id is longer than 150 bytes, the limit of Customer.io's Track API",
    Notice.EVENT_NAME_LENGTH: "an event's name is longer than 100 bytes, the limit of Customer.io's Track API",
    Notice.TRAIT_NAME_LENGTH: "a trait's name is longer than 150 bytes, the limit of Customer.io's Track API",
    Notice.TRAIT_VALUE_SIZE: "a trait's value is larger than 1,000 bytes, the limit of Customer.io's Track API",
    Notice.TRAIT_COUNT: "a call has more than 300 traits, the limit of Customer.io's Track API",
}

OnNotice = Callable[[Notice, str], object]
"""Called with the kind, and the rule as `file:line`. Must return at once: it is called while records are mapped."""
