"""Limits of the Pipelines API, each with its source."""

from __future__ import annotations

MAX_CALL_BYTES = 32_000
"""The largest call, in exact UTF-8 bytes: 32 KB (Customer.io Pipelines API reference), read as thousands."""

MAX_BODY_BYTES = 500_000
"""No request body may be larger: 500 KB (Customer.io Pipelines API reference, Batch), read as thousands."""
