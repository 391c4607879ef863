"""Kafka Connect's JSON with schemas, in generated code."""

from __future__ import annotations

from worker.formats.envelopes.connect import columns_of
from worker.formats.json_payload import Payloads
from worker.mapping.compiler.envelopes.code import EnvelopeCode
from worker.mapping.compiler.objects import EVENT


class ConnectCode(EnvelopeCode):
    """The payload is decoded directly to the event."""

    def _write(self) -> None:
        code = self._code
        struct = self._event.made if self._event else None
        payloads = Payloads(lambda schema: self._types_of(columns_of(schema)), required=True)
        self._format.emit(code, EVENT, struct, otherwise="None", payloads=payloads)
        with code.block(f"if {EVENT} is None or not ({self._fits()}):"):
            self._with_care()
