"""Where records end that can never be delivered: a dead letter each, acknowledged before anything commits past it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from worker.core.reasons import Rejected, Stage
from worker.pipeline.ports import DeadLetter
from worker.pipeline.wakeup import Wakeup

if TYPE_CHECKING:
    from worker.core.lanes import Batch, Track
    from worker.core.records import Record
    from worker.core.storm import StormBreaker
    from worker.pipeline.delivery import Delivery
    from worker.pipeline.ports import DeadLetters, Response
    from worker.telemetry.telemetry import Telemetry

LETTERS = 500
"""Dead letters written in one go."""

RETRY_SECONDS = 1.0
"""How long the dead-letter topic is left alone after it refused a letter."""

STORM = "DEAD_LETTER_STORM"
"""Why nothing is sent once the storm breaker broke."""

TOO_SLOW = "MAPPING_TOO_SLOW"
"""Why a record is rejected whose mapping does not end."""


class Burial:
    """Writes dead letters, until there are so many that they must have another cause than the records.

    Args:
        dead_letters: where they are kept.
        delivery: while it is on hold letters wait; in a storm it is stopped.
        storm: says when it is one.
        telemetry: told of each rejection.
        rule_of: finds which mapping rule handles a record; may take seconds, and must not block the loop.
        wall: epoch seconds.

    Attributes:
        writing: the tracks of letters that are being written.
        refused: why the dead-letter topic took no letter the last time; None if it took all.
    """

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        dead_letters: DeadLetters,
        delivery: Delivery,
        storm: StormBreaker,
        telemetry: Telemetry,
        *,
        rule_of: Callable[[Record], Awaitable[str | None]],
        wall: Callable[[], float],
    ) -> None:
        self._dead_letters = dead_letters
        self._delivery = delivery
        self._storm = storm
        self._telemetry = telemetry
        self._rule_of = rule_of
        self._wall = wall
        self._letters: list[tuple[Track, DeadLetter]] = []
        self._changed = Wakeup()
        self.writing: set[Track] = set()
        self.refused: str | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no letter waits or is being written."""
        return not self._letters and not self.writing

    def reject(
        self,
        track: Track,
        record: Record,
        verdict: Rejected,
        response: Response | None = None,
        attempts: int = 0,
    ) -> None:
        """A record can never be delivered: its offset waits for its dead letter. Once, however many calls fail."""
        offset = record.offset()
        if offset in track.letters:
            return
        track.letters[offset] = False
        self._telemetry.record_rejected(verdict.stage, verdict.reason, record.topic())
        if self._storm.broken or track.withdrawn:
            return  # neither written nor committed past: whoever reads it next finds out again
        letter = DeadLetter(
            record=record,
            stage=verdict.stage,
            reason=verdict.reason,
            detail=verdict.detail,
            failed_at=self._wall(),
            call_index=verdict.call_index,
            rule=verdict.rule,
            status=response.status if response else None,
            errors=response.errors if response else (),
            attempts=attempts,
        )
        self._letters.append((track, letter))
        self._changed.notify()
        if self._storm.failed(verdict.stage):
            self._delivery.stop_sending(STORM)
            self._telemetry.storm_broke(self._storm.consecutive, self._storm.share)

    def refuse(self, batch: Batch, response: Response, attempts: int) -> None:
        """No call of a batch will ever be accepted."""
        for track, (_, _, record, index, _) in batch.calls():
            self.reject(track, record, _refusal(response, index), response, attempts)

    async def run(self) -> None:
        """Write what there is; during a hold it waits, because then it may be nobody's fault but the key's."""
        while True:
            if not self._letters or self._delivery.gate.hold:
                await self._changed.wait(RETRY_SECONDS if self._letters else None)
                continue
            some, self._letters = self._letters[:LETTERS], self._letters[LETTERS:]
            refused = await self._write([each for each in some if not each[0].withdrawn])
            self._letters = refused + self._letters
            self._delivery.progress.notify()
            if refused:
                await asyncio.sleep(RETRY_SECONDS)

    def leave_withdrawn(self) -> None:
        """Drop the letters of partitions that are not ours any more: the next owner writes them."""
        self._letters = [(track, letter) for track, letter in self._letters if not track.withdrawn]

    async def _write(self, some: list[tuple[Track, DeadLetter]]) -> list[tuple[Track, DeadLetter]]:
        """Write some letters, and answer those that were not acknowledged."""
        self.writing = {track for track, _ in some}
        try:
            for _, letter in some:
                if letter.rule is None and letter.stage is not Stage.DECODE and letter.reason != TOO_SLOW:
                    letter.rule = await self._rule_of(letter.record)
            answers = await self._dead_letters.write([letter for _, letter in some])
        finally:
            self.writing = set()
        refused = []
        for (track, letter), failure in zip(some, answers, strict=True):
            if failure is None:
                track.letters[letter.record.offset()] = True
            else:
                refused.append((track, letter))
        self.refused = next((failure for failure in answers if failure), None)
        return refused


def _refusal(response: Response, index: int) -> Rejected:
    return Rejected(
        Stage.DELIVER,
        f"HTTP_{response.status}" if response.status else "NO_ANSWER",
        response.failure or f"the API answered {response.status}",
        call_index=index,
    )
