"""Trouble on request: what a test or a curious person asks the emulator to do wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One kind of trouble, and for which requests.

    Without `status`, `stall`, `reset` or `truncate` a fault only delays, or replaces the real
    answer's body.

    Attributes:
        status: the answer's status; nothing of the request is taken.
        errors: the words of its body, as `{"meta": {"errors": [...]}}`.
        body: the text of the answer's body instead, as it stands: a proxy's HTML page, half a JSON object.
        retry_after: the `Retry-After` header, as it stands: seconds or a date.
        location: the `Location` header of a redirect.
        delay: seconds before anything else happens.
        stall: never answer; the connection stays open.
        reset: cut the connection with a TCP reset, without an answer.
        truncate: promise a body and close the connection within it.
        after: do it after the calls were taken: the answer is lost, the calls are not.
        times: for how many matching requests; None: until the faults are deleted.
        every: only for each n-th matching request.
        match: `path` of the request, or fields of one of its calls (`userId`, `anonymousId`, `groupId`,
            `event`, `type`, `messageId`), all of which must be equal. Empty: every request.
    """

    status: int | None = None
    errors: list[str] | None = None
    body: str | None = None
    retry_after: float | str | None = None
    location: str | None = None
    delay: float = 0.0
    stall: bool = False
    reset: bool = False
    truncate: bool = False
    after: bool = False
    times: int | None = 1
    every: int = 1
    match: dict[str, str] = {}
    seen: int = 0

    def __post_init__(self) -> None:
        """Refuse what could never happen.

        Raises:
            ValueError: the fault makes no sense.
        """
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be from 200 to 599")
        if self.every < 1 or self.delay < 0 or (self.times is not None and self.times < 1):
            raise ValueError("every and times must be at least 1, delay at least 0")
        unknown = set(self.match) - _MATCHABLE
        if unknown:
            raise ValueError(f"match takes {', '.join(sorted(_MATCHABLE))}")

    def concerns(self, path: str, calls: Iterable[Mapping[str, Any]]) -> bool:
        """Whether a request to this path with these calls is meant."""
        wanted = dict(self.match)
        if wanted.pop("path", path) != path:
            return False
        return not wanted or any(all(call.get(k) == v for k, v in wanted.items()) for call in calls)


_MATCHABLE = {"path", "userId", "anonymousId", "groupId", "event", "type", "messageId"}
_DECODER = msgspec.json.Decoder(Fault)
_FLAGS = ("stall", "reset", "truncate", "after")


def fault_of_json(body: bytes) -> Fault:
    """A fault as `POST /admin/faults` takes it. Raises `ValueError` with a sentence."""
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def fault_of_header(text: str) -> Fault:
    """A fault as the header `X-Emulator-Fault` takes it, for its own request only. Raises `ValueError`.

    Words separated by semicolons: a status, `stall`, `reset`, `truncate`, `after`, `delay=0.5`,
    `retry-after=2`; for example `503; retry-after=2`.
    """
    fields: dict[str, Any] = {}
    for word in (part.strip() for part in text.split(";")):
        name, _, value = word.partition("=")
        if word.isascii() and word.isdigit():
            fields["status"] = int(word)
        elif word in _FLAGS:
            fields[word] = True
        elif name == "delay":
            fields["delay"] = float(value)
        elif name == "retry-after" and value:
            fields["retry_after"] = value
        else:
            raise ValueError(
                "X-Emulator-Fault takes a status, stall, reset, truncate, after, delay=S, retry-after=S"
            )
    return Fault(**fields)


class Faults:
    """The faults that are switched on, oldest first; the first that concerns a request is its own."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self.happened = 0

    def add(self, fault: Fault) -> None:
        """Switch a fault on, behind those that are on already."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Switch all of them off."""
        self._faults.clear()

    def active(self) -> list[Fault]:
        """Those that are still on."""
        return list(self._faults)

    def next_for(self, path: str, calls: list[Mapping[str, Any]]) -> Fault | None:
        """What happens to this request; counts it against the fault's `times` and `every`."""
        for fault in self._faults:
            if not fault.concerns(path, calls):
                continue
            fault.seen += 1
            if fault.seen % fault.every:
                continue
            if fault.times is not None and fault.seen >= fault.times * fault.every:
                self._faults.remove(fault)
            self.happened += 1
            return fault
        return None
