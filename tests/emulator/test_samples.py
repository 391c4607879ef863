"""The worker and the emulator were written apart: what one makes, the other has to take."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import converted
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected
from worker.demo.events import TOPICS, ExpectedOutcome, Sample, sample_events
from worker.emulator import rules
from worker.emulator.request_body import parse_body
from worker.mapping.calls.validation import validate
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import PreviewRecord
from worker.settings import load_settings

UNTIL = datetime(2026, 11, 21, 12, tzinfo=UTC)
STARTER = Path(__file__).parents[2] / "config/worker.yaml"


@pytest.fixture(scope="module")
def mappings() -> Mappings:
    settings = load_settings(STARTER, {}, needs_key=False)
    return Mappings.load(
        settings.mappings,
        mapper_path=settings.mapper_path,
        base=settings.base,
        dead_letter_topic=settings.kafka.dead_letter_topic,
    )


def record_of(sample: Sample, offset: int) -> PreviewRecord:
    return PreviewRecord(sample.topic, sample.value, sample.key, [], sample.timestamp, (0, offset))


def test_the_samples_are_the_same_every_time() -> None:
    assert list(sample_events(500, until=UNTIL)) == list(sample_events(500, until=UNTIL))


def test_every_sample_has_its_expected_outcome_and_the_emulator_takes_every_call_of_it(
    mappings: Mappings,
) -> None:
    ids = MessageIds("cluster")
    converters = {topic: mappings.converter(topic, ids) for topic in TOPICS}
    seen: dict[bytes, bytes] = {}
    for offset, sample in enumerate(sample_events(2_000, until=UNTIL)):
        convert = converters[sample.topic]
        assert convert is not None
        try:
            calls = [body for body, _ in converted(convert, record_of(sample, offset))]
        except Rejected:
            assert sample.outcome is ExpectedOutcome.DEAD_LETTERED
            continue
        assert sample.outcome is (ExpectedOutcome.DELIVERED if calls else ExpectedOutcome.IGNORED)
        assert len(calls) == sample.calls
        if calls:
            parsed = parse_body("batch", b'{"batch":[' + b",".join(calls) + b"]}", strict=True)
            assert parsed.all_errors == []
            assert [notice for item in parsed.items for notice in item.notices] == []
            ids_of = [str(item.call["messageId"]).encode() for item in parsed.items if item.call]
            repeated = [one for one, body in zip(ids_of, calls, strict=True) if seen.get(one) == body]
            assert len(repeated) == sample.repeated
            seen.update(zip(ids_of, calls, strict=True))


def test_the_samples_hold_every_kind_of_trouble(mappings: Mappings) -> None:
    ids = MessageIds("cluster")
    reasons: Counter[str] = Counter()
    broken = [
        sample
        for sample in sample_events(2_000, until=UNTIL)
        if sample.outcome is ExpectedOutcome.DEAD_LETTERED
    ]
    for offset, sample in enumerate(broken):
        rejected = mappings.explain(record_of(sample, offset), ids).rejected
        assert rejected is not None
        reasons[rejected.reason] += 1
    assert len(reasons) >= 7, reasons


def test_no_event_of_a_person_follows_their_erasure() -> None:
    gone: set[bytes | None] = set()
    for sample in sample_events(4_000, until=UNTIL):
        if sample.topic == "customers":
            assert sample.key not in gone
            if sample.value is None or b"customer.erased" in sample.value:
                gone.add(sample.key)


ODD: list[Any] = [None, True, 3, 2.5, "", " ", {}, {"a": 1}, ["x"], "\u00e9" * 60]


def mostly(*usual: Any) -> st.SearchStrategy[Any]:
    """One of the usual values, or now and then an odd one."""
    return st.sampled_from([*usual] * (40 // len(usual)) + ODD)


ID = mostly("u1", "someone@example.com")
COMMON = {
    "context": mostly(
        {"ip": "192.0.2.1"}, {"channel": "server", "page": {"url": "u"}}, {"device": {"token": "t"}}
    )
    | st.dictionaries(
        st.sampled_from(["ip", "channel", "active", "page", "locale"]), mostly("server"), max_size=2
    ),
    "integrations": mostly({"All": False}),
    "messageId": mostly("m1"),
    "timestamp": st.just("2026-11-21T10:00:00.000Z"),
}
PERSON = {"userId": ID, "anonymousId": ID}
TRAITS = mostly({"plan": None}, {"email": "a@b.example"}, {"unsubscribed": True}) | st.fixed_dictionaries(
    {}, optional={name: mostly("x") for name in ("email", "unsubscribed", "cio_subscription_preferences")}
)
PROPERTIES = {"properties": mostly({"url": "u"}, {})}
OWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "identify": {**PERSON, "traits": TRAITS},
    "track": {**PERSON, **PROPERTIES, "groupId": ID, "event": mostly("Order Completed", "Signed Up")},
    "page": {**PERSON, **PROPERTIES, "name": mostly("Home"), "category": mostly("Shop")},
    "screen": {**PERSON, **PROPERTIES, "name": mostly("Home"), "category": mostly("Shop")},
    "group": {**PERSON, "groupId": ID, "traits": TRAITS, "objectTypeId": mostly("1", "2")},
    "alias": {"userId": ID, "previousId": ID},
}
CALLS = st.sampled_from(rules.TYPES).flatmap(
    lambda kind: st.fixed_dictionaries({"type": st.just(kind)}, optional={**OWN[kind], **COMMON})
)


@given(CALLS)
def test_the_emulator_accepts_what_the_worker_sends(call: dict[str, Any]) -> None:
    """The other way round they may differ: the worker refuses more than the API does."""
    try:
        sent = validate(call)
    except Rejected:
        return
    assert rules.examine(sent, strict=True).errors == []
