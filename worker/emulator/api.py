"""What the API answers: pure, no server. The road of one request is `Api.answer`."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

from worker.emulator.intake import Intake, Item
from worker.emulator.received import Outcome, Received


class StrictBatches(StrEnum):
    """What becomes, in strict mode, of the good calls of a batch with a bad one: nobody outside knows."""

    ALL_OR_NOTHING = "all-or-nothing"
    TAKE_GOOD = "take-good"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the caller."""

    status: int
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


def failure(status: int, errors: list[str]) -> Answer:
    """An answer in the API's own shape: `{"meta": {"errors": [...]}}` (newer API reference)."""
    return Answer(status, orjson.dumps({"meta": {"errors": errors}}))


class Api:
    """Takes calls in, as strict or permissive mode does.

    Args:
        key: the only API key that is right; None: any that is not empty.
        strict_batches: what strict mode does with a bad call's good neighbours.
        received: where calls go.
    """

    def __init__(self, *, key: str | None, strict_batches: StrictBatches, received: Received) -> None:
        self._key = key
        self.strict_batches = strict_batches
        self._received = received
        self.notices: Counter[str] = Counter()

    def answer(
        self, intake: Intake, headers: Mapping[str, str], *, strict: bool, at: float, request: int
    ) -> Answer:
        """Take the calls of one request, or turn them away."""
        if wrong := self._what_is_wrong(headers):
            return self._turn_all_away(intake, wrong, strict=strict, at=at, request=request)
        if intake.errors:
            return self._turn_all_away(
                intake, failure(400, intake.errors), strict=strict, at=at, request=request
            )
        self.notices.update(intake.notices)
        refusals = intake.refusals
        take_good = not strict or not refusals or self.strict_batches is StrictBatches.TAKE_GOOD
        for item in intake.items:
            self.notices.update(item.notices)
            if item.errors:
                self._received.turn_away(item, _gone(strict=strict), at=at, request=request)
            elif take_good:
                self._received.take(item, at=at, request=request)
            else:
                self._received.counts["refused_with_a_bad_neighbour"] += 1
        return failure(400, refusals) if strict and refusals else Answer(200)

    def _what_is_wrong(self, headers: Mapping[str, str]) -> Answer | None:
        if not self._is_key_right(headers.get("Authorization", "")):
            return failure(401, ["the API key is missing or wrong"])
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return failure(400, ["Content-Type must be application/json"])
        return None

    def _is_key_right(self, authorization: str) -> bool:
        """`Basic base64(key + ":")` (API reference, Authentication)."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            key, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        well_formed = scheme.lower() == "basic" and bool(key) and bool(colon) and not password
        return well_formed and self._key in (None, key)

    def _turn_all_away(
        self, intake: Intake, answer: Answer, *, strict: bool, at: float, request: int
    ) -> Answer:
        """Permissive mode answers 200 all the same, even to a wrong key, and stores nothing."""
        why = orjson.loads(answer.body)["meta"]["errors"]
        for item in intake.items or [Item(b"", None)]:
            turned = Item(item.raw, item.call, why, item.notices)
            self._received.turn_away(turned, _gone(strict=strict), at=at, request=request)
        return answer if strict else Answer(200)


def _gone(*, strict: bool) -> Outcome:
    return Outcome.REFUSED if strict else Outcome.DROPPED
