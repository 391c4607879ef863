"""`run --until-caught-up` on a real Kafka: existing records are delivered and committed, then it ends."""

from __future__ import annotations

import json

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.worker_process import MAPPING, PROTOCOLS, Site
from worker.emulator import Emulator, Fault

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.essential
async def test_existing_records_are_delivered_in_order_and_committed_with_either_group_protocol(
    site: Site, protocol: str
) -> None:
    site.change("kafka", properties=PROTOCOLS[protocol])
    site.produce(1000)
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.committed() == site.ends() == [500, 500]
    assert site.ledger.repeated == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_committed_offset_beyond_the_end_is_not_caught_up(
    site: Site, kafka: KafkaClient, protocol: str
) -> None:
    site.change("kafka", properties=PROTOCOLS[protocol])
    for _ in range(3):
        site.produce(10)
        for number, end in enumerate(site.ends()):
            kafka.commit(site.group, (site.topic, number), end + 1000)
        assert await site.run_job() == 0
        assert site.committed() == site.ends()
    assert len(site.workers[0].told("partition_restarted")) == 2
    site.ledger.check()


async def test_a_job_catches_up_with_several_topics_a_pattern_and_empty_topics(
    site: Site, kafka: KafkaClient
) -> None:
    matched = kafka.create_topic(2, f"{site.topic}-matched")
    empty = kafka.create_topic(2, f"{site.topic}-empty")
    other = kafka.create_topic(2, f"other-{site.topic}")
    site.mapping = MAPPING.format(topics=json.dumps([site.topic, f"^{site.topic}-.*$"]))
    site.produce(100)
    site.produce(100, topic=matched)
    kafka.append(other, values=[b'{"type": "happened", "person": "nobody"}'])
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.committed() == site.ends() == [50, 50]
    assert site.committed(matched) == [50, 50]
    assert site.committed(empty) == site.committed(other) == [0, 0]


async def test_a_job_with_nothing_to_do_ends_and_a_second_one_delivers_only_what_is_new(site: Site) -> None:
    assert await site.run_job() == 0
    site.produce(100)
    assert await site.run_job() == 0
    site.produce(100)
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.ledger.repeated == 0


async def test_aborted_transactions_are_not_delivered_and_markers_are_passed(
    site: Site, kafka: KafkaClient
) -> None:
    event = site.ledger.event
    kafka.append_in_transaction(site.topic, [event("ada.lovelace-0") for _ in range(3)])
    aborted = [b'{"type": "happened", "person": "ada.lovelace-0", "n": -1}'] * 5
    kafka.append_in_transaction(site.topic, aborted, commit=False)
    kafka.append_in_transaction(site.topic, [event("ada.lovelace-0")])
    kafka.append_in_transaction(site.topic, aborted, commit=False)
    assert await site.run_job() == 0
    site.ledger.check()
    # 3 records, a marker, 5 aborted ones, a marker, 1 record, a marker, 5 aborted ones, a marker.
    assert site.committed() == [18, 0]


async def test_a_wrong_key_ends_a_job_with_1_and_leaves_everything_to_be_delivered(
    site: Site, emulator: Emulator
) -> None:
    emulator.faults.add(Fault(status=401, times=None))
    site.produce(100)
    site.kafka.append(site.topic, values=[b"{broken"])
    assert await site.run_job() == 1
    assert site.workers[0].told("delivery_held")[0]["reason"] == "UNAUTHORIZED"
    assert site.ledger.taken == 0
    assert site.committed() == [0, 0]
    emulator.faults.clear()
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.committed() == site.ends()
    assert {each.value() for each in site.ledger.dead_letters()} == {b"{broken"}
