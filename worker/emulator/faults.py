"""Faults that a test or a user injects, to see how a client handles them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One kind of fault, and the requests that it applies to.

    Without `status`, `stall`, `reset` or `truncate` a fault only delays the real response, or replaces its body.

    Attributes:
        status: of the response; no call of the request is accepted.
        errors: the messages of its body, as `{"meta": {"errors": [...]}}`.
        body: the whole text of the body instead, such as a proxy's HTML page or half a JSON object.
        retry_after: the value of the `Retry-After` header: seconds or a date.
        location: the `Location` header of a redirect.
        delay: seconds before anything else happens.
        stall: never respond; the connection stays open.
        reset: close the connection with a TCP reset, without a response.
        truncate: announce a body, and close the connection before its end.
        after: inject the fault after the calls were accepted: only the response is lost.
        times: number of matching requests that it applies to; None: until the faults are deleted.
        every: apply only to every n-th matching request.
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
        """Validate the values.

        Raises:
            ValueError: a value is out of range, or `match` has an unknown name.
        """
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be from 200 to 599")
        if self.every < 1 or self.delay < 0 or (self.times is not None and self.times < 1):
            raise ValueError("every and times must be at least 1, delay at least 0")
        unknown = set(self.match) - _MATCHABLE
        if unknown:
            raise ValueError(f"match may have {', '.join(sorted(_MATCHABLE))}")

    def applies_to(self, path: str, calls: Iterable[Mapping[str, Any]]) -> bool:
        """Whether a request to this path with these calls matches."""
        wanted = dict(self.match)
        if wanted.pop("path", path) != path:
            return False
        return not wanted or any(all(call.get(k) == v for k, v in wanted.items()) for call in calls)


_MATCHABLE = {"path", "userId", "anonymousId", "groupId", "event", "type", "messageId"}
_DECODER = msgspec.json.Decoder(Fault)
_FLAGS = ("stall", "reset", "truncate", "after")


def fault_of_json(body: bytes) -> Fault:
    """Parse the body of `POST /admin/faults`. Raises `ValueError` with an explanation."""
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def fault_of_header(text: str) -> Fault:
    """Parse the header `X-Emulator-Fault`, a fault for its own request only. Raises `ValueError`.

    The header is a list separated by semicolons of a status, `stall`, `reset`, `truncate`, `after`, `delay=0.5`,
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
                "X-Emulator-Fault must be a status, stall, reset, truncate, after, delay=S, retry-after=S"
            )
    return Fault(**fields)


class Faults:
    """The active faults, oldest first. A request gets the first fault that applies to it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self.happened = 0

    def add(self, fault: Fault) -> None:
        """Switch a fault on; older ones take precedence."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    def active(self) -> list[Fault]:
        """The faults that are still on."""
        return list(self._faults)

    def next_for(self, path: str, calls: list[Mapping[str, Any]]) -> Fault | None:
        """The fault to inject into this request; counts it for the fault's `times` and `every`."""
        for fault in self._faults:
            if not fault.applies_to(path, calls):
                continue
            fault.seen += 1
            if fault.seen % fault.every:
                continue
            if fault.times is not None and fault.seen >= fault.times * fault.every:
                self._faults.remove(fault)
            self.happened += 1
            return fault
        return None
