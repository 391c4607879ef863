"""The emulator as a caller meets it: a real server on loopback."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import pytest

from worker.emulator import Emulator, Fault, serve
from worker.emulator.faults import fault_of_header
from worker.emulator.rate import RateWindow

GOOD: dict[str, Any] = {
    "type": "track",
    "userId": "u1",
    "event": "Signed Up",
    "messageId": "m1",
    "timestamp": "2026-11-21T10:00:00.000Z",
}
BAD: dict[str, Any] = {"type": "track", "event": "Nobody", "messageId": "m2"}
TAKE_GOOD = pytest.mark.parametrize("emulator", [{"strict_batches": "take-good"}], indirect=True)
ONE_KEY = pytest.mark.parametrize("emulator", [{"key": "right"}], indirect=True)


@pytest.mark.parametrize("endpoint", ["identify", "track", "page", "screen", "group", "alias"])
async def test_each_endpoint_sets_its_type(client: Any, endpoint: str) -> None:
    call = {"userId": "u1", "groupId": "g1", "previousId": "p1", "event": "E", "name": "N"}
    assert await client.send(f"/v1/{endpoint}", call) == (200, {})
    assert [entry["type"] for entry in await client.get("/admin/calls")] == [endpoint]


async def test_strict_mode_refuses_a_bad_call_with_the_apis_own_shape(client: Any) -> None:
    status, body = await client.send("/v1/batch", {"batch": [GOOD, BAD]})
    assert (status, body) == (400, {"meta": {"errors": ["batch[1]: userId or anonymousId is required"]}})


async def test_all_or_nothing_takes_no_neighbour_of_a_bad_call(client: Any) -> None:
    await client.send("/v1/batch", {"batch": [GOOD, BAD]})
    counts = client.emulator.summary["calls"]
    assert (counts["taken"], counts["refused"], counts["refused_with_a_bad_neighbour"]) == (0, 1, 1)


@TAKE_GOOD
async def test_take_good_takes_the_neighbours_and_answers_400_all_the_same(client: Any) -> None:
    status, _ = await client.send("/v1/batch", {"batch": [GOOD, BAD]})
    counts = client.emulator.summary["calls"]
    assert (status, counts["taken"], counts["refused"]) == (400, 1, 1)


async def test_permissive_mode_returns_200_and_drops_invalid_calls(client: Any) -> None:
    assert await client.send("/v1/batch", {"batch": [GOOD, BAD]}, strict=False) == (200, {})
    [dropped] = await client.get("/admin/calls?outcome=dropped")
    assert dropped["errors"] == ["userId or anonymousId is required"]
    assert [entry["messageId"] for entry in await client.get("/admin/calls?outcome=taken")] == ["m1"]


@ONE_KEY
@pytest.mark.parametrize("key", ["wrong", "", None])
async def test_a_wrong_key_is_401_in_strict_mode_and_200_without_effect_else(
    client: Any, key: str | None
) -> None:
    assert (await client.send("/v1/batch", {"batch": [GOOD]}, key=key))[0] == 401
    assert await client.send("/v1/batch", {"batch": [GOOD]}, key=key, strict=False) == (200, {})
    counts = client.emulator.summary["calls"]
    assert (counts["taken"], counts["refused"], counts["dropped"]) == (0, 1, 1)


@ONE_KEY
async def test_an_empty_batch_shows_whether_the_key_is_valid(client: Any) -> None:
    assert (await client.send("/v1/batch", {"batch": []}, key="right"))[0] == 400
    assert (await client.send("/v1/batch", {"batch": []}, key="wrong"))[0] == 401


async def test_a_message_id_is_stored_once_and_says_whether_the_bytes_were_the_same(client: Any) -> None:
    for call in (GOOD, GOOD, {**GOOD, "event": "Other"}):
        await client.send("/v1/batch", {"batch": [call]})
    [entry] = await client.get("/admin/calls?messageId=m1")
    assert (entry["deliveries"], entry["identical"]) == (3, False)
    counts = client.emulator.summary["calls"]
    assert (counts["taken"], counts["duplicates_identical"], counts["duplicates_different"]) == (1, 1, 1)


@pytest.mark.parametrize("emulator", [{"keep_calls": 5, "remember": 50}], indirect=True)
async def test_memory_is_bounded_and_counters_are_whole(client: Any) -> None:
    batch = [{**GOOD, "messageId": f"m{number}", "userId": f"u{number}"} for number in range(40)]
    await client.send("/v1/batch", {"batch": batch})
    await client.send("/v1/batch", {"batch": batch})
    summary = await client.get("/admin/summary")
    assert summary["calls"]["taken"] == summary["calls"]["duplicates_identical"] == 40
    assert [entry["messageId"] for entry in await client.get("/admin/calls")] == [
        f"m{n}" for n in range(35, 40)
    ]


async def test_the_view_filters_by_person_type_and_event_and_marks_new_calls(client: Any) -> None:
    calls = [
        GOOD,
        {"type": "identify", "userId": "u2", "messageId": "m3"},
        {"type": "group", "groupId": "acme", "messageId": "m4"},
    ]
    await client.send("/v1/batch", {"batch": calls})
    for query, ids in [
        ("person=u2", ["m3"]),
        ("type=group", ["m4"]),
        ("event=Signed%20Up", ["m1"]),
        ("after=2", ["m4"]),
        ("limit=1", ["m4"]),
    ]:
        assert [entry["messageId"] for entry in await client.get(f"/admin/calls?{query}")] == ids
    await client.send("/v1/batch", {"batch": [GOOD]})
    assert [entry["messageId"] for entry in await client.get("/admin/calls?after=3")] == ["m1"]


async def test_an_injected_status_is_returned_as_often_as_requested_to_matching_requests(client: Any) -> None:
    fault = {"status": 503, "times": 2, "retry_after": 2, "match": {"userId": "u1"}}
    async with client.session.post(client.emulator.address + "/admin/faults", json=fault) as response:
        assert response.status == 201
    calls = ({**GOOD, "userId": "other", "messageId": "x"}, GOOD, GOOD, GOOD)
    statuses = [(await client.send("/v1/batch", {"batch": [call]}))[0] for call in calls]
    assert statuses == [200, 503, 503, 200]
    assert client.emulator.summary["calls"]["duplicates"] == 0


async def test_a_fault_after_loses_the_answer_and_not_the_calls(client: Any) -> None:
    client.emulator.faults.add(Fault(reset=True, after=True))
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.send("/v1/batch", {"batch": [GOOD]})
    assert client.emulator.summary["calls"]["taken"] == 1


@pytest.mark.parametrize("trouble", ["reset", "truncate"])
async def test_a_cut_connection_reaches_the_caller_as_an_error(client: Any, trouble: str) -> None:
    with pytest.raises(aiohttp.ClientError):
        await client.send("/v1/batch", {"batch": [GOOD]}, headers={"X-Emulator-Fault": trouble})
    assert await client.send("/v1/batch", {"batch": [GOOD]}) == (200, {})


async def test_a_stalled_request_ends_with_its_caller(client: Any) -> None:
    stalled = asyncio.ensure_future(
        client.send("/v1/batch", {"batch": [GOOD]}, headers={"X-Emulator-Fault": "stall"})
    )
    await client.until_in_progress(1)
    stalled.cancel()
    await client.until_in_progress(0)
    assert client.emulator.summary["calls"]["taken"] == 0


async def test_stopping_lets_go_of_stalled_requests(client: Any) -> None:
    client.emulator.faults.add(Fault(stall=True))
    stalled = asyncio.ensure_future(client.send("/v1/batch", {"batch": [GOOD]}))
    await client.until_in_progress(1)
    await client.emulator.stop()
    with pytest.raises(aiohttp.ClientError):
        await stalled


async def test_a_body_on_request_replaces_the_real_answers(client: Any) -> None:
    client.emulator.faults.add(Fault(status=200, body="<html>log in</html>"))
    headers = {"Authorization": "Basic azo=", "X-Strict-Mode": "1"}
    async with client.session.post(
        client.emulator.address + "/v1/batch", json={"batch": [GOOD]}, headers=headers
    ) as response:
        assert (response.status, await response.text()) == (200, "<html>log in</html>")
    assert client.emulator.summary["calls"]["taken"] == 0


@pytest.mark.parametrize(
    "body", ['{"status": 99}', '{"stat": 1}', '{"match": {"shoe": "x"}}', "nonsense", '{"times": 0}']
)
async def test_a_fault_that_makes_no_sense_is_refused(client: Any, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.session.post(
        client.emulator.address + "/admin/faults", data=body, headers=headers
    ) as response:
        assert response.status == 400


async def test_a_page_of_another_origin_cannot_switch_faults_on(client: Any) -> None:
    async with client.session.post(
        client.emulator.address + "/admin/faults", data='{"status": 500}'
    ) as response:
        assert response.status == 415


def test_the_fault_header_takes_several_words() -> None:
    fault = fault_of_header("503; retry-after=2; delay=0.5; after")
    assert (fault.status, fault.retry_after, fault.delay, fault.after) == (503, "2", 0.5, True)


@pytest.mark.parametrize("emulator", [{"latency": 30.0}], indirect=True)
async def test_two_requests_at_a_time_that_share_a_person_are_counted(client: Any) -> None:
    requests = [asyncio.ensure_future(client.send("/v1/batch", {"batch": [GOOD]})) for _ in range(2)]
    await client.until_in_progress(2)
    view = client.emulator.traffic.view()
    assert (view["shared_a_person"], view["most_at_once"]) == (1, 2)
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)


def test_a_window_holds_the_requests_within_its_length() -> None:
    window = RateWindow(requests=2, per=3.0)
    assert [window.arrived(now) for now in (0.0, 1.0, 2.9, 4.5, 5.8)] == [True, True, False, True, False]
    assert (window.busiest, window.over) == (3, 2)


async def test_the_page_is_self_contained_and_never_makes_markup_of_what_it_shows(client: Any) -> None:
    async with client.session.get(client.emulator.address + "/") as response:
        page = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "{{nonce}}" not in page


async def test_delete_calls_forgets_message_ids_too(client: Any) -> None:
    await client.send("/v1/batch", {"batch": [GOOD]})
    await client.session.delete(client.emulator.address + "/admin/calls")
    await client.send("/v1/batch", {"batch": [GOOD]})
    counts = client.emulator.summary["calls"]
    assert (counts["taken"], counts["duplicates"]) == (1, 0)


@pytest.mark.parametrize("listen", ["8090", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999"])
async def test_a_wrong_address_is_said_at_once(listen: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        await serve(listen)


async def test_an_emulator_that_cannot_listen_says_so_and_leaves_nothing_open(emulator: Emulator) -> None:
    port = int(emulator.address.rpartition(":")[2])
    with pytest.raises(OSError, match="address"):
        await Emulator().start(port=port)


async def test_a_call_s_source_is_what_somebody_knows_of_it(client: Any, emulator: Emulator) -> None:
    assert await client.get("/admin/source?messageId=m1") == {"source": None}
    emulator.source_of = {"m1": {"topic": "orders", "offset": 7}}.get
    assert await client.get("/admin/source?messageId=m1") == {"source": {"topic": "orders", "offset": 7}}
    assert await client.get("/admin/source") == {"source": None}


async def test_accepted_calls_that_do_less_than_meant_are_marked_and_counted(client: Any) -> None:
    old = GOOD | {"timestamp": "2020-01-01T00:00:00.000Z"}
    new = {name: value for name, value in GOOD.items() if name != "timestamp"} | {"messageId": "m2"}
    await client.send("/v1/batch", {"batch": [old, new]})
    assert [entry["without_effect"] for entry in await client.get("/admin/calls")] == [True, False]
    assert client.emulator.summary["calls"]["without_effect"] == 1
