"""What a failed connection to a broker means, read from the client's own words.

librdkafka's codes do not say it: a client certificate that is missing or refused is a `_TRANSPORT` error in TLS 1.3,
and a client without TLS at a listener with TLS only sees a connection that closes.
"""

from __future__ import annotations

import re

from confluent_kafka import KafkaError

AUTHENTICATION_FAILED = {
    KafkaError._AUTHENTICATION,  # noqa: SLF001 - the client's public names for its own codes
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._SSL,  # noqa: SLF001 - the same
}
"""The login failed, or TLS did: nothing works until an operator changes something."""

NOT_CONNECTED = {
    KafkaError._TRANSPORT,  # noqa: SLF001 - the same
    KafkaError._RESOLVE,  # noqa: SLF001 - the same
    KafkaError._TIMED_OUT,  # noqa: SLF001 - the same
}
"""There is no connection, and the text says why."""

CONNECTION_FAILED = "FAIL"
"""The facility of librdkafka's lines about connections that failed."""

_TLS_FAILED = ("SSL alert", "SSL handshake failed")
_CLOSED_AT_ONCE = re.compile(
    r"Disconnected: connection closed by peer.*\(after \d+ms in state (?:APIVERSION_QUERY|UP)"
)
_WRONG_PROTOCOL = "the listener may need TLS or a login (security.protocol)"
_OPENSSL = re.compile(r"(?:\S+\.c:\d+:\w+ )?error:[0-9A-F]+:SSL routines::")
_AFTER = re.compile(r" \(after \d+ms in state \w+(?:, \d+ identical error\(s\) suppressed)?\)")
_ADDRESS = re.compile(r"^(?:[a-z_]+://)?([^\s/]+:\d+)/(?:bootstrap|\d+): ")


def own_words(text: str) -> str:
    """The client's message with the broker's address, without what differs each time."""
    words = _ADDRESS.sub(r"\1: ", _OPENSSL.sub("", _AFTER.sub("", text)))
    words = words.removesuffix(": receive 0 after POLLIN").rstrip(": ")
    return f"{words}: {_WRONG_PROTOCOL}" if _CLOSED_AT_ONCE.search(text) else words


def is_refused_login(error: KafkaError) -> bool:
    """Whether the broker or the client refuses who the other is."""
    if error.code() in AUTHENTICATION_FAILED:
        return True
    return error.code() in NOT_CONNECTED and any(word in error.str() for word in _TLS_FAILED)


class LastFailure:
    """Why a client has no connection, as it reported it last. Its methods are callbacks of the client."""

    def __init__(self) -> None:
        self.is_refused = False
        self.words: str | None = None

    def on_error(self, error: KafkaError) -> None:
        """Keep an error. A refused login stays, since what follows from it says less."""
        if is_refused_login(error):
            self.is_refused, self.words = True, own_words(error.str())
        elif error.code() in NOT_CONNECTED and not self.is_refused:
            self.words = own_words(error.str())

    def on_line(self, facility: str, text: str) -> None:
        """Keep a line of the client's log: some failures are only there."""
        if facility == CONNECTION_FAILED and not self.is_refused:
            self.words = own_words(text)
