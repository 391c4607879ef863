"""What a running worker reports over HTTP and in its log, without personal data, payload or keys."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import aiohttp
import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.ledger import PERSON, TEXT
from tests.support.worker_process import API_KEY, Site, until
from worker.emulator import Emulator, Fault

pytestmark = [pytest.mark.kafka, pytest.mark.essential]


async def test_the_http_endpoints_report_what_happened_without_personal_data(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    emulator.faults.add(Fault(status=503, times=1))
    emulator.faults.add(Fault(status=400, errors=["bad"], times=None, match={"userId": f"{PERSON}-bad"}))
    worker = await site.started()
    site.produce(100)
    kafka.append(site.topic, values=[b"{broken", b'{"type": "ignored"}', b"[1]"])
    kafka.append(site.topic, values=[b'{"type": "happened", "person": "%s-bad"}' % PERSON.encode()])
    await site.delivered()
    await until(lambda: len(site.ledger.dead_letters()) == 3)
    await until(lambda: site.committed() == site.ends())

    assert await worker.get("/livez") == (200, '{"alive":true}')
    assert await worker.get("/readyz") == (200, '{"ready":true,"reasons":[]}')
    assert (await worker.get("/nothing"))[0] == 404
    status = await worker.status()
    totals = status["totals"]
    assert (totals["consumed"], totals["delivered"], totals["ignored"]) == (104, 100, 1)
    assert totals["dead_letters"] == {"INVALID_JSON": 1, "NOT_AN_OBJECT": 1, "HTTP_400": 1}
    assert totals["requests"]["503"] == 1
    assert status["in_progress"] == {"records": 0, "bytes": 0}
    assert [each["lag"] for each in status["partitions"]] == [0, 0]
    code, metrics = await worker.get("/metrics")
    assert code == 200
    assert f'pipelines_worker_records_consumed_total{{topic="{site.topic}"}} 104.0' in metrics
    assert "pipelines_worker_calls_delivered_total 100.0" in metrics
    assert (await worker.get("/"))[1].startswith("<!doctype html>")
    for page in ("/", "/status.json", "/readyz", "/metrics"):
        text = (await worker.get(page))[1]
        assert not [private for private in (PERSON, TEXT, API_KEY) if private in text]
    assert await worker.stop() == 0


async def test_ignored_records_and_rules_that_match_nothing_are_shown_by_topic(
    site: Site, kafka: KafkaClient
) -> None:
    """A mapper that returns nothing has matched; the misspelt type never does."""
    site.mapping = f"""
topics: [{site.topic}]
rules:
  - when: type == 'hapened'
    call: track
    event: Something Happened
    userId: person
  - when: type == 'quiet'
    mapper: quiet:nothing
  - when: type == 'happened' && n == `3`
    call: track
    event: Something Happened
    userId: person
"""
    site.configure()
    (site.folder / "config" / "quiet.py").write_text("def nothing(event):\n    return None\n")
    worker = await site.started()
    await until(lambda: worker.told("partitions_assigned"))
    metrics = (await worker.get("/metrics"))[1]
    for counter in ("records_lost", "fetches_stalled", "records_ignored", "dead_letters_written_overall"):
        assert f'pipelines_worker_{counter}_total{{topic="{site.topic}"}} 0.0' in metrics
    assert "pipelines_worker_kafka_clients_failed_total 0.0" in metrics

    kafka.append(site.topic, values=[b'{"type": "quiet"}'])
    site.produce(1199)
    await until(lambda: site.committed() == site.ends())

    status = await worker.status()
    (rule,) = status["unmatched_rules"]
    assert rule == {"rule": "config/mappings/events.yaml:4", "topic": site.topic, "records": 1200}
    (topic,) = status["topics"]
    assert (topic["consumed"], topic["ignored"]) == (1200, 1199)
    assert topic["ignored_share"] == 1199 / 1200
    assert topic["ignored_by"] == {"config/mappings/events.yaml:8": 1}
    share = f'pipelines_worker_records_ignored_share{{topic="{site.topic}"}} 0.99'
    async with asyncio.timeout(30):
        while share not in (await worker.get("/metrics"))[1]:
            pass  # the metrics are computed at most once a second
    (line,) = worker.told("rule_matched_nothing")
    assert (line["rule"], line["topic"]) == ("config/mappings/events.yaml:4", site.topic)
    assert await worker.stop() == 0


async def test_every_log_line_is_json_and_contains_no_personal_data_whatever_goes_wrong(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    site.change("telemetry", log_level="debug")
    site.change("delivery", shutdown_timeout="200ms")
    emulator.faults.add(Fault(status=401, errors=[f"{PERSON} {API_KEY}"], times=1))
    emulator.faults.add(Fault(status=500, body=f"{PERSON}", times=1))
    emulator.faults.add(Fault(status=400, errors=[f"{PERSON}-3 {TEXT}"], times=None, every=2))
    worker = await site.started()
    site.produce(40)
    kafka.append(site.topic, values=[f'{{"person": "{PERSON}'.encode()] * 5)
    await until(lambda: worker.told("dead_letters_written"))
    await worker.stop()
    events = {line["event"] for line in worker.lines}
    assert {"worker_started", "partitions_assigned", "delivery_held", "draining", "worker_stopped"} <= events
    assert all({"time", "level", "event", "message"} <= line.keys() for line in worker.lines)
    for private in (PERSON, TEXT, API_KEY):
        assert private not in worker.output


async def test_idle_connections_to_the_pages_do_not_stop_delivery(site: Site) -> None:
    worker = await site.started()
    worker.limit_descriptors(256)
    host, port = worker.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(400):
            idle = socket.socket()
            stack.callback(idle.close)
            idle.setblocking(False)
            idle.connect_ex((host, int(port)))
        site.produce(100)
        await site.delivered()
        assert await worker.get("/livez") == (200, '{"alive":true}')
        assert await worker.reasons() == []
    assert not worker.told("request_retried")
    assert await worker.stop() == 0


async def test_a_process_without_descriptors_says_so(site: Site) -> None:
    worker = await site.started()
    async with aiohttp.ClientSession(worker.url) as session:
        async with session.get("/readyz") as answer:
            assert answer.status == 200
        worker.limit_descriptors(3)
        async with session.get("/readyz") as answer:
            reasons = [each["reason"] for each in (await answer.json())["reasons"]]
        assert "OUT_OF_FILE_DESCRIPTORS" in reasons
        worker.limit_descriptors(256)
    assert await worker.stop() == 0


async def test_a_page_address_that_is_taken_ends_the_worker_at_its_start(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        worker = site.start(WORKER__HTTP__LISTEN=address)
        assert await worker.ended() == 1
    assert address in worker.told("listen_failed")[0]["message"]
