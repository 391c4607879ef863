"""Hashes. The secrets of `hmac_sha256` are those of worker.yaml, one set for the process; nothing prints them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.mapping.expressions.failures import ExpressionFailed
from worker.mapping.expressions.functions.arguments import text_of, utf8_of
from worker.mapping.expressions.functions.function import COMPUTED, Function, InvalidArgumentError


class _Secrets:
    """The secrets by name, None for one whose value is not there; None as a whole before any settings were read."""

    known: Mapping[str, str | None] | None = None


def set_secrets(secrets: Mapping[str, str | None]) -> None:
    """Set the secrets for every expression of the process.

    Args:
        secrets: by name; None for one that has no value here, with which every call fails.
    """
    _Secrets.known = dict(secrets)


def sha256(text: object) -> str:
    """SHA-256 of the UTF-8 bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(utf8_of("sha256", text)).hexdigest()


def md5(text: object) -> str:
    """MD5 of the UTF-8 bytes, as 32 lower-case hexadecimal digits."""
    return hashlib.md5(utf8_of("md5", text), usedforsecurity=False).hexdigest()


def hmac_sha256(text: object, secret_name: object) -> str:
    """HMAC-SHA-256 of the UTF-8 bytes with a secret of worker.yaml, as 64 hexadecimal digits."""
    value, name = utf8_of("hmac_sha256", text), text_of(secret_name)
    secret = (_Secrets.known or {}).get(name)
    if secret is None:
        raise ExpressionFailed("hmac_sha256(): the secret has no value")
    return hmac.digest(secret.encode(), value, "sha256").hex()


def _check_secret(arguments: Sequence[Any]) -> None:
    name, known = arguments[1], _Secrets.known
    if name is COMPUTED or type(name) is not str:
        hint = "hmac_sha256(email, 'pepper'), with `secrets: {pepper: ...}` in worker.yaml"
        raise InvalidArgumentError(1, "hmac_sha256() names its secret as literal text", hint)
    if known is not None and name not in known:
        hint = did_you_mean(name, known) or f"add it to worker.yaml: secrets: {{{name}: ${{{name.upper()}}}}}"
        raise InvalidArgumentError(1, f"there is no secret '{name}'", hint)


_NOT_UNICODE = "Half of a surrogate pair."

FUNCTIONS = (
    Function(
        "sha256(s)",
        "SHA-256 of the UTF-8 bytes, as 64 hexadecimal digits.",
        "sha256('ada@example.com')",
        '"b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"',
        sha256,
        fails=_NOT_UNICODE,
    ),
    Function(
        "md5(s)",
        "MD5 of the UTF-8 bytes, as 32 hexadecimal digits.",
        "md5('ada@example.com')",
        '"3e3417d7ef77d5932a6734b916515ed5"',
        md5,
        fails=_NOT_UNICODE,
    ),
    Function(
        "hmac_sha256(s, secret_name)",
        "HMAC-SHA-256 with a secret of `secrets` in worker.yaml, as 64 hexadecimal digits.",
        "hmac_sha256('ada@example.com', 'pepper')",
        '"73c43507a0192e95887a051ea55e31d1744e34bf152ba65977f3e52fd1f683a5"',
        hmac_sha256,
        wrong_type="Null, and any other type: null. The name is literal; an unknown one is an error of `check`.",
        fails=_NOT_UNICODE,
        check=_check_secret,
    ),
)
