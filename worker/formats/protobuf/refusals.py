"""Reasons for which a Protobuf record or schema is refused."""

from __future__ import annotations

from typing import NoReturn

from worker.core.reasons import Rejected, Stage
from worker.formats.json_values import MAX_DEPTH


class InvalidSchemaError(Exception):
    """A schema cannot be used: it does not compile, or lacks the message that is asked for."""


def refuse(detail: str) -> NoReturn:
    """Reject a value that is not what its schema says.

    Raises:
        Rejected: `INVALID_PROTOBUF`, always.
    """
    raise Rejected(Stage.DECODE, "INVALID_PROTOBUF", detail) from None


def refuse_depth() -> NoReturn:
    """Reject a value that nests too deeply.

    Raises:
        Rejected: `TOO_DEEP`, always.
    """
    detail = f"Objects and lists nest deeper than {MAX_DEPTH} levels."
    raise Rejected(Stage.DECODE, "TOO_DEEP", detail) from None
