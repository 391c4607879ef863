"""How long the worker waits for Kafka. Every blocking call to a client has one of these as its limit."""

from __future__ import annotations

RESPONSE_SECONDS = 10.0
"""For one response about topics, groups or offsets. A healthy cluster responds within milliseconds, and a leader
election takes a few seconds."""

POLL_SECONDS = 0.1
"""How long a poll waits for its first record. Commits wait for the poll to end, so it is short; ten polls a second cost
nothing."""

IDLE_SECONDS = 0.05
"""How long a fetch with limit 0 waits before it returns: the longest delay before consumption resumes."""

DELIVERY_MARGIN_SECONDS = 5.0
"""How long after `delivery.timeout.ms` the producer may take to report the outcome of a record: it checks for timed-out
records once a second, and a report may be queued behind others."""
