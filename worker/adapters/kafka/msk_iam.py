"""Tokens for Amazon MSK, signed with the credentials that AWS's own tools find (environment, profile, role)."""

from __future__ import annotations

from collections.abc import Callable

EXTRA = "msk-iam"
"""The extra of the distribution that installs the signer."""


class MissingExtraError(Exception):
    """The signer is not installed."""


def msk_iam_provider(region: str) -> Callable[[], tuple[str, float]]:
    """A provider of tokens for the clusters of a region. Signing needs no connection.

    Raises:
        MissingExtraError: the extra is not installed.
    """
    try:
        # boto3 takes half a second to import.
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        raise MissingExtraError from None

    def token() -> tuple[str, float]:
        signed, expires_at_ms = MSKAuthTokenProvider.generate_auth_token(region)
        return signed, expires_at_ms / 1000

    return token
