"""The Customer.io Pipelines API over HTTP: one POST for a batch, and one `Response`, also for a network error.

- Only the Batch endpoint is used, with HTTP Basic authentication (the key as user, no password) and
  `X-Strict-Mode: 1` (Customer.io Pipelines API reference, Authentication, Batch, Strict mode).
- Nothing is retried here. aiohttp itself retries only idempotent methods on a connection that turned out to be closed,
  and POST is not idempotent (tests/adapters/pipelines_api/test_client.py). `core.retry` decides on retries.
- Redirects are not followed: a redirected POST would carry the key and the calls elsewhere.
- An API key that comes from a file is read again after each 401: Kubernetes replaces the file when the secret changes.
- No proxy is taken from the environment (`HTTPS_PROXY`), no `.netrc` is read, no cookie is kept.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from worker.adapters.pipelines_api.error_texts import errors_in, is_json
from worker.adapters.pipelines_api.retry_after import retry_after_seconds
from worker.pipeline.ports import Response
from worker.telemetry.logs import log
from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.core.records import Record
    from worker.settings import Pipelines
    from worker.telemetry.telemetry import Telemetry

MAX_RESPONSE_BYTES = 64 * 1024
"""The API's body is `{}` or a list of errors. Reading stops here, and a longer body does not count as JSON."""


class PipelinesApi:
    """The worker's `Destination`. Construct it where an event loop is running, and `close` it.

    Args:
        settings: `pipelines` of worker.yaml.
        telemetry: notified of every request.
        version: of the worker, for `User-Agent`.
    """

    def __init__(self, settings: Pipelines, telemetry: Telemetry, version: str = __version__) -> None:
        self._telemetry = telemetry
        self._url = URL(f"{settings.base_url.rstrip('/')}/v1/batch")
        self._settings = settings
        self._authorization: dict[str, str] = {}
        self._secrets = ""
        self._use_key(settings.api_key.get_secret_value())
        self._responded: tuple[float, str | None] = (0.0, None)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # max_requests_in_flight is the limit
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout, sock_connect=None),
            headers=_headers(settings, version),
            trust_env=False,
        )

    def __repr__(self) -> str:
        """The URL; never the key."""
        return f"<PipelinesApi {self._url}>"

    async def send(self, body: bytes, records: Sequence[Record], calls: int) -> Response:
        """POST one batch of `calls`. Every outside error becomes a `Response`. The records are for trace links only."""
        started = time.perf_counter()
        with self._telemetry.request_span(records, calls):
            response = await self._post(body)
            seconds = time.perf_counter() - started
            self._telemetry.request_finished(response.status, seconds, len(body), response.failure)
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    @property
    def clock_ahead(self) -> float | None:
        """How many seconds this machine's clock is ahead of the API's, as of the last response; None if unknown.

        `Date` has whole seconds, cut off, so the result is exact to a second.
        """
        at, date = self._responded
        try:
            return at - parsedate_to_datetime(date or "").timestamp() - 0.5
        except ValueError:
            return None

    async def _post(self, body: bytes) -> Response:
        try:
            async with self._session.post(
                self._url, data=body, headers=self._authorization, allow_redirects=False
            ) as response:
                self._responded = time.time(), response.headers.get("Date")
                result = self._response(response, await _read(response), body)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            return Response(status=0, failure=failure_kind(error))
        if result.status == 401:
            await self._read_key_again()
        return result

    async def _read_key_again(self) -> None:
        """After a 401, take the key that is in its file now: it may have been replaced."""
        key = await asyncio.to_thread(self._settings.key_from_file)
        if key is not None and self._authorization != _authorization(key):
            self._use_key(key)
            log(
                logging.INFO,
                "api_key_read_again",
                "the file of the API key has changed: the new key is used from now on",
            )

    def _use_key(self, key: str) -> None:
        self._authorization = _authorization(key)
        self._secrets = f"{self._secrets} {key} {_credentials(key)}".strip()

    def _response(self, response: aiohttp.ClientResponse, text: bytes, body: bytes) -> Response:
        if response.status > 599:  # no HTTP status, so this is not the API
            return Response(status=0, failure="protocol")
        return Response(
            status=response.status,
            json=len(text) <= MAX_RESPONSE_BYTES and is_json(text),
            errors=errors_in(text[:MAX_RESPONSE_BYTES], body, self._secrets),
            retry_after=retry_after_seconds(response.headers.get("Retry-After"), time.time()),
        )


def failure_kind(error: BaseException) -> str:
    """Why there was no response, as one of a few words, because the texts of errors quote addresses and more.

    `timeout`, `dns`, `tls`, `connection` (refused, reset, closed before a response), `truncated` (the response did not
    end), `protocol` (this is not HTTP).
    """
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError() | UnicodeError():  # a host that IDNA cannot encode
            return "dns"
        case aiohttp.ClientSSLError() | ssl.SSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        case aiohttp.ClientPayloadError():
            return "truncated"
        case aiohttp.ClientConnectionError() | OSError():
            return "connection"
        case _:
            return "protocol"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, up to one byte more than the limit: then the connection is closed."""
    text = bytearray()
    try:
        async for chunk in response.content.iter_any():
            text += chunk
            if len(text) > MAX_RESPONSE_BYTES:
                break
    except TimeoutError:
        raise
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise aiohttp.ClientPayloadError from error
    return bytes(text[: MAX_RESPONSE_BYTES + 1])


def _headers(settings: Pipelines, version: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # a response is two bytes
        "User-Agent": f"customerio-pipelines-worker/{version}",
    }
    return headers | ({"X-Strict-Mode": "1"} if settings.strict else {})


def _authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Basic {_credentials(key)}"}


def _credentials(key: str) -> str:
    return base64.b64encode(f"{key}:".encode()).decode()
