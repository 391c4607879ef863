"""Writes a dead letter for each record that can never be delivered, before anything commits past it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import read_headers
from worker.core.records import INDEX, RECORD, RULE
from worker.dead_letters.failed_record import FailedRecord
from worker.pipeline.wakeup import Wakeup

if TYPE_CHECKING:
    from worker.core.lanes import Batch, PartitionState
    from worker.core.records import Record
    from worker.core.retry import CircuitBreaker
    from worker.core.storm import StormBreaker
    from worker.pipeline.ports import DeadLetters, Response
    from worker.pipeline.send_permit import SendPermit
    from worker.telemetry.telemetry import Telemetry

WRITE_AT_ONCE = 500
"""Dead letters of one write. The next write waits for all acknowledgements of this one: many dead letters amortise that
round trip, and a failed write repeats no more than these."""

RETRY_SECONDS = 1.0
"""How long to wait before writing again after the dead-letter topic refused a dead letter."""

STORM = "DEAD_LETTER_STORM"
"""The reason for withholding the permit in a storm; also a reason of `/readyz`."""


class DeadLetterWriter:
    """Writes dead letters until the storm breaker trips: then the records are unlikely to be the cause.

    Args:
        dead_letters: the dead-letter topic.
        telemetry: notified of each rejection.
        storm: recognises a storm.
        permit: withheld in a storm.
        breaker: while delivery is on hold nothing is written, because the API key may be wrong and the records good.
        progress: notified after each write.
        clock: epoch seconds.

    Attributes:
        writing: the partitions whose dead letters are being written.
        failure: why the last write failed; None if it succeeded.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        dead_letters: DeadLetters,
        telemetry: Telemetry,
        *,
        storm: StormBreaker,
        permit: SendPermit,
        breaker: CircuitBreaker,
        progress: Wakeup,
        clock: Callable[[], float],
    ) -> None:
        self._dead_letters = dead_letters
        self._storm = storm
        self._permit = permit
        self._breaker = breaker
        self._progress = progress
        self._telemetry = telemetry
        self._clock = clock
        self._waiting: list[tuple[PartitionState, FailedRecord]] = []
        self._changed = Wakeup()
        self.writing: set[PartitionState] = set()
        self.failure: str | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no dead letter is waiting or being written."""
        return not self._waiting and not self.writing

    def reject(
        self,
        state: PartitionState,
        record: Record,
        rejection: Rejected,
        response: Response | None = None,
        attempts: int = 0,
    ) -> None:
        """Queue a record's dead letter; nothing commits past the record until it is acknowledged.

        A record gets one dead letter, even if several of its calls fail.
        """
        if not state.offsets.reject(record.offset()):
            return
        self._telemetry.record_rejected(rejection.stage, rejection.reason, record.topic())
        # The first read must not happen in two threads at once, and the writer's thread reads them too.
        read_headers(record)
        if self._storm.broken or state.revoked:
            return  # not written, and nothing commits past it: the next owner or the next start rejects it again
        letter = FailedRecord(
            record=record,
            stage=rejection.stage,
            reason=rejection.reason,
            detail=rejection.detail,
            failed_at=self._clock(),
            call_index=rejection.call_index,
            rule=rejection.rule,
            status=response.status if response else None,
            errors=response.errors if response else (),
            attempts=attempts,
        )
        self._waiting.append((state, letter))
        self._changed.notify()
        if self._storm.failed(rejection.stage):
            self._permit.withhold(STORM)
            self._telemetry.storm_broke(self._storm.consecutive, self._storm.share)

    def refuse(self, batch: Batch, response: Response, attempts: int) -> None:
        """Reject the record of each call in a batch that the API will never accept."""
        for state, call in batch.calls():
            rejection = Rejected(
                Stage.DELIVER,
                f"HTTP_{response.status}" if response.status else "NO_ANSWER",
                response.failure or f"the API responded with status {response.status}",
                call_index=call[INDEX],
                rule=call[RULE],
            )
            self.reject(state, call[RECORD], rejection, response, attempts)

    async def run(self) -> None:
        """Write dead letters as they are queued."""
        while True:
            if not self._waiting or self._breaker.hold:
                await self._changed.wait(RETRY_SECONDS if self._waiting else None)
                continue
            some, self._waiting = self._waiting[:WRITE_AT_ONCE], self._waiting[WRITE_AT_ONCE:]
            refused = await self._write([each for each in some if not each[0].revoked])
            self._waiting += (
                refused  # at the end: a dead letter that is always refused must not block the others
            )
            self._progress.notify()
            if refused:
                await asyncio.sleep(RETRY_SECONDS)

    def drop_revoked(self) -> None:
        """Drop dead letters of revoked partitions: the next owner writes them."""
        self._waiting = [(state, letter) for state, letter in self._waiting if not state.revoked]

    async def _write(
        self, some: list[tuple[PartitionState, FailedRecord]]
    ) -> list[tuple[PartitionState, FailedRecord]]:
        """Write these dead letters; returns those that were not acknowledged."""
        self.writing = {state for state, _ in some}
        try:
            failures = await self._dead_letters.write([letter for _, letter in some])
        finally:
            self.writing = set()
        refused = []
        for (state, letter), failure in zip(some, failures, strict=True):
            if failure is None:
                state.offsets.dead_letter_acknowledged(letter.record.offset())
            else:
                refused.append((state, letter))
        self.failure = next((failure for failure in failures if failure), None)
        return refused
