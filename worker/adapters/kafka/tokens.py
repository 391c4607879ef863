"""Tokens for SASL/OAUTHBEARER: when the provider is called, how long a token is used, what happens if there is none.

The binding calls `oauth_cb` in a thread of the client, first while the client is being made: its constructor then waits
for up to ten seconds for a token, and raises `SystemError` if the callback fails. So the first token is obtained before
a client is made (`make_consumer` and the others call `TokenSource.require`), and the callback finds it here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from worker.core.faults import places, type_name
from worker.telemetry.logs import LogRateLimiter, log

Provider = Callable[[], Any]
Token = tuple[Any, ...]

REQUIRE_SECONDS = 3.0
"""How long making a client waits for the first token, before it reports that there is none."""

CALLBACK_SECONDS = 60.0
"""How long the client's own thread waits for the next token."""

RETRY_SECONDS = 1.0
"""A provider that failed is not called again within this time."""

REUSED_SHARE = 0.5
"""The share of a token's lifetime in which further clients get the same token. The client asks for the next one after
80 % of what is left, so it never gets one that is about to expire."""

MAX_LIFETIME_SECONDS = 10 * 365 * 86_400
"""A token that seems to live longer has its expiry in milliseconds."""

_AUTHENTICATION = KafkaError._AUTHENTICATION  # noqa: SLF001 - the client's public name for its own code


class TokenError(Exception):
    """Why there is no token, in words without the token or the provider's own text, which may quote a secret."""


class TokenSource:
    """The `oauth_cb` of all Kafka clients of this process.

    Args:
        name: of the provider, as the settings have it.
        provider: returns (token, expires_at) or (token, expires_at, principal, extensions).
    """

    def __init__(self, name: str, provider: Provider) -> None:
        self._name = name
        self._provider = provider
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._reused_until = 0.0
        self._pending: Future[Token] | None = None
        self._failed: tuple[float, TokenError] | None = None
        self._limiter = LogRateLimiter()

    def __call__(self, _config: str | None = None) -> Token:
        """A token for a client, which calls this in a thread of its own.

        Raises:
            TokenError: there is none. The client reports it as an authentication error, and asks again later.
        """
        return self._obtain(CALLBACK_SECONDS)

    def require(self) -> None:
        """Make sure that a client which is made now gets a token at once.

        Raises:
            KafkaException: there is none; the code is that of a failed authentication.
        """
        try:
            self._obtain(REQUIRE_SECONDS)
        except TokenError as error:
            raise KafkaException(KafkaError(_AUTHENTICATION, f"kafka.auth: {error}")) from None

    def _obtain(self, timeout: float) -> Token:
        with self._lock:
            now = time.time()
            if self._token is not None and now < self._reused_until:
                return self._token
            if self._failed is not None and now - self._failed[0] < RETRY_SECONDS:
                raise self._failed[1]
            pending = self._pending = self._pending or self._start()
        try:
            return pending.result(timeout)
        except TimeoutError:
            raise TokenError(f"{self._name} has not returned a token after {timeout:g} s") from None

    def _start(self) -> Future[Token]:
        """Call the provider in a thread that does not keep the process from ending, should it never return."""
        result: Future[Token] = Future()
        threading.Thread(target=self._run, args=(result,), name="kafka-token", daemon=True).start()
        return result

    def _run(self, result: Future[Token]) -> None:
        try:
            token = checked(self._call(), time.time())
        except TokenError as error:
            self._finished(None, error)
            result.set_exception(error)
        else:
            self._finished(token, None)
            result.set_result(token)

    def _call(self) -> Any:
        try:
            return self._provider()
        except BaseException as error:  # noqa: BLE001 - a user's function may raise anything
            at = "".join(f" at {place}" for place in places(error)[-1:])
            raise TokenError(f"{self._name} raised {type_name(error)}{at}") from None

    def _finished(self, token: Token | None, error: TokenError | None) -> None:
        now = time.time()
        with self._lock:
            self._pending = None
            self._token = token
            self._failed = None if error is None else (now, error)
            if token is not None:
                self._reused_until = now + (token[1] - now) * REUSED_SHARE
        if error is not None and (count := self._limiter.count(("failed",), 1)):
            log(logging.ERROR, "token_provider_failed", f"no token for Kafka: {error}", count=count)


def checked(returned: Any, now: float) -> Token:
    """What a provider returned, if it is a token that has not expired.

    Raises:
        TokenError: it is not.
    """
    if not isinstance(returned, tuple | list) or len(returned) not in {2, 4}:
        raise TokenError(
            "the provider must return (token, expires_at) or (token, expires_at, principal, extensions)"
        )
    token, expires_at, *further = returned
    if not isinstance(token, str) or not token:
        raise TokenError("the provider's token must be text")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        raise TokenError("the provider's expires_at must be a number, in epoch seconds")
    if expires_at - now > MAX_LIFETIME_SECONDS:
        raise TokenError("the provider's expires_at must be in epoch seconds, not in milliseconds")
    if expires_at <= now:
        raise TokenError("the provider returned a token that has expired")
    return (token, float(expires_at), *_principal_and_extensions(*further))


def _principal_and_extensions(principal: Any = "", extensions: Any = None) -> tuple[str, dict[str, str]]:
    if not isinstance(principal or "", str):
        raise TokenError("the provider's principal must be text")
    given = extensions or {}
    if not isinstance(given, dict) or not all(
        isinstance(word, str) for pair in given.items() for word in pair
    ):
        raise TokenError("the provider's extensions must be a dict of texts")
    return principal or "", given
