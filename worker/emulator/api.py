"""The API's behaviour, without a server: `Api.handle` processes one request."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

from worker.emulator.received import Outcome, Received
from worker.emulator.request_body import Item, RequestBody


class StrictBatches(StrEnum):
    """What strict mode does with the good calls of a batch that has a bad one. The API's documents do not say."""

    ALL_OR_NOTHING = "all-or-nothing"
    TAKE_GOOD = "take-good"


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The response to one request."""

    status: int
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


def error_response(status: int, errors: list[str]) -> ApiResponse:
    """An error in the API's own format: `{"meta": {"errors": [...]}}` (newer API reference)."""
    return ApiResponse(status, orjson.dumps({"meta": {"errors": errors}}))


class Api:
    """Accepts or refuses calls as the API does in strict and in permissive mode.

    Args:
        key: the only valid API key; None: any key that is not empty is valid.
        strict_batches: what strict mode does with the good calls of a batch that has a bad one.
        received: stores the calls.
    """

    def __init__(self, *, key: str | None, strict_batches: StrictBatches, received: Received) -> None:
        self._key = key
        self.strict_batches = strict_batches
        self._received = received
        self.notices: Counter[str] = Counter()

    def handle(
        self, body: RequestBody, headers: Mapping[str, str], *, strict: bool, at: float, request: int
    ) -> ApiResponse:
        """Accept or refuse the calls of one request."""
        if error := self._header_error(headers):
            return self._refuse_all(body, error, strict=strict, at=at, request=request)
        if body.errors:
            error = error_response(400, body.errors)
            return self._refuse_all(body, error, strict=strict, at=at, request=request)
        self.notices.update(body.notices)
        errors = body.all_errors
        accept_good = not strict or not errors or self.strict_batches is StrictBatches.TAKE_GOOD
        for item in body.items:
            self.notices.update(item.notices)
            if item.errors:
                self._received.refuse(item, _refused_as(strict=strict), at=at, request=request)
            elif accept_good:
                self._received.accept(item, at=at, request=request)
            else:
                self._received.counts["refused_with_a_bad_neighbour"] += 1
        return error_response(400, errors) if strict and errors else ApiResponse(200)

    def _header_error(self, headers: Mapping[str, str]) -> ApiResponse | None:
        if not self._is_valid_key(headers.get("Authorization", "")):
            return error_response(401, ["the API key is missing or wrong"])
        media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return error_response(400, ["Content-Type must be application/json"])
        return None

    def _is_valid_key(self, authorization: str) -> bool:
        """`Basic base64(key + ":")` (API reference, Authentication)."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            key, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        well_formed = scheme.lower() == "basic" and bool(key) and bool(colon) and not password
        return well_formed and self._key in (None, key)

    def _refuse_all(
        self, body: RequestBody, error: ApiResponse, *, strict: bool, at: float, request: int
    ) -> ApiResponse:
        """Store no call of a request. Permissive mode returns 200 anyway, even for a wrong key."""
        reasons = orjson.loads(error.body)["meta"]["errors"]
        for item in body.items or [Item(b"", None)]:
            refused = Item(item.raw, item.call, reasons, item.notices)
            self._received.refuse(refused, _refused_as(strict=strict), at=at, request=request)
        return error if strict else ApiResponse(200)


def _refused_as(*, strict: bool) -> Outcome:
    return Outcome.REFUSED if strict else Outcome.DROPPED
