"""The code of every envelope."""

from __future__ import annotations

from worker.formats.envelopes.cloudevents import CloudEvents
from worker.formats.envelopes.connect import Connect
from worker.formats.envelopes.debezium import Debezium
from worker.mapping.compiler.envelopes.cloudevents import CloudEventsCode
from worker.mapping.compiler.envelopes.code import EnvelopeCode
from worker.mapping.compiler.envelopes.connect import ConnectCode
from worker.mapping.compiler.envelopes.debezium import DebeziumCode

CODES: dict[type, type[EnvelopeCode]] = {
    Debezium: DebeziumCode,
    CloudEvents: CloudEventsCode,
    Connect: ConnectCode,
}
"""What writes each envelope into a converter."""
