from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mypy import api

from tests.support.mapper_calls import mapped, mapper_converter
from worker import Event
from worker.mapping.mappers.loading import Mappers

HERE = Path(__file__).parent / "typed"


@pytest.mark.timeout(300)
def test_a_users_mappers_pass_mypy_strict() -> None:
    limit = sys.getrecursionlimit()
    out, errors, code = api.run(
        ["--strict", "--no-incremental", "--cache-dir=/dev/null", str(HERE / "orders.py")]
    )
    sys.setrecursionlimit(limit)  # mypy raises it for its whole process
    assert code == 0, out + errors


def test_a_users_mappers_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    mappers = Mappers([HERE])
    device = {"type": "device.removed", "user_id": 42, "device": {"token": "t", "os": "ios"}}
    (deleted,) = mapped(
        mapper_converter(mappers.load("orders:device_changed"), allow={"delete_device"}), device
    )
    assert deleted["event"] == "Device Deleted"
    registered = {"id": "e-1", "at": 1763719200, "customer": {"id": 5, "email": "cool.person@example.com"}}
    made = mappers.load("orders:customer_registered").answer(Event(registered))
    assert isinstance(made, list)
    assert [(call.name, call.event_id) for call in made] == [("identify", None), ("track", "e-1")]
    assert mappers.load("orders:pinged").answer(Event({}, key="u"))
    assert mappers.load("orders:pinged").answer(Event({}, headers={"test": "1"})) == []
