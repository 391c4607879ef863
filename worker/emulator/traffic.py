"""Counts requests: sizes, statuses, how many at a time, and whether concurrent requests shared a person."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from worker.emulator.received import person_of
from worker.emulator.request_body import RequestBody

KEEP_REQUESTS = 1_000


@dataclass(slots=True)
class Request:
    """One request as `/admin/requests` shows it.

    Attributes:
        number: from 1, in the order of arrival.
        at: epoch seconds.
        bytes: exact size of the body.
        status: of the response; 0 before the response, or if the connection was cut.
        fault: whether a fault was injected.
    """

    number: int
    at: float
    path: str
    bytes: int
    calls: int
    strict: bool
    status: int = 0
    fault: bool = False


class Traffic:
    """Counts requests; stores the last `KEEP_REQUESTS`."""

    def __init__(self) -> None:
        self._in_progress = 0
        self._people: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """Reset the counters, starting with request 1; requests in progress continue."""
        self.last: deque[Request] = deque(maxlen=KEEP_REQUESTS)
        self.total = 0
        self.bytes = 0
        self.largest_body = 0
        self.by_status: Counter[int] = Counter()
        self.by_path: Counter[str] = Counter()
        self.most_at_once = 0
        self.shared_a_person = 0

    @contextmanager
    def request(
        self, path: str, body: bytes, parsed: RequestBody, *, strict: bool, at: float
    ) -> Iterator[Request]:
        """Count one request, from its last byte to the response."""
        self.total += 1
        request = Request(self.total, at, path, len(body), len(parsed.items), strict)
        self._count(request)
        people = {person for item in parsed.items if (person := person_of(item.call or {})) is not None}
        self.shared_a_person += any(self._people[person] for person in people)
        self._people.update(people)
        self._in_progress += 1
        self.most_at_once = max(self.most_at_once, self._in_progress)
        try:
            yield request
        finally:
            self._in_progress -= 1
            self._people -= Counter(people)
            self.by_status[request.status] += 1

    def _count(self, request: Request) -> None:
        self.last.append(request)
        self.bytes += request.bytes
        self.largest_body = max(self.largest_body, request.bytes)
        self.by_path[request.path] += 1

    def view(self) -> dict[str, Any]:
        """The part of `/admin/summary` about requests."""
        return {
            "total": self.total,
            "bytes": self.bytes,
            "largest_body": self.largest_body,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "by_path": dict(self.by_path),
            "in_progress": self._in_progress,
            "most_at_once": self.most_at_once,
            "shared_a_person": self.shared_a_person,
        }

    def requests(self, limit: int) -> list[dict[str, Any]]:
        """The newest requests, oldest first."""
        return [asdict(request) for request in list(self.last)[-limit:]] if limit > 0 else []
