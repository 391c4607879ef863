"""What librdkafka refuses or warns of in a client's properties: the property's name, never its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from worker.adapters.kafka.properties import CONSUMER_ONLY, PRODUCER_ONLY
from worker.core.near_matches import did_you_mean

_OFTEN_USED = {
    "client.id", "client.rack", "security.protocol", "sasl.mechanism", "sasl.username", "sasl.password",
    "sasl.oauthbearer.config", "sasl.oauthbearer.method", "sasl.kerberos.service.name", "ssl.ca.location",
    "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem", "ssl.key.location", "ssl.key.password",
    "ssl.key.pem", "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification",
    "socket.timeout.ms", "socket.keepalive.enable", "message.max.bytes", "receive.message.max.bytes", "debug",
}  # fmt: skip
"""For near matches: librdkafka has no way to list the names that it knows."""

_IAM = "set kafka.auth: {type: aws_msk_iam, region: ...}"
_PEM = "librdkafka reads PEM files: set ssl.ca.location, and ssl.certificate.location with ssl.key.location for mTLS"

_INSTEAD = {
    "aws_iam": _IAM,
    "sasl.jaas.config": "it is the Java client's: set sasl.username and sasl.password",
    "sasl.login.callback.handler.class": "it is the Java client's: for tokens set kafka.auth",
    "sasl.client.callback.handler.class": "it is the Java client's: for tokens set kafka.auth",
    "ssl.truststore.location": _PEM,
    "ssl.truststore.password": _PEM,
    "ssl.truststore.type": _PEM,
    "ssl.truststore.certificates": _PEM,
    "ssl.keystore.type": _PEM,
    "ssl.keystore.key": _PEM,
    "ssl.keystore.certificate.chain": _PEM,
}
"""Properties of other clients, and what to set instead."""

_UNKNOWN = re.compile(r'No such configuration property: "([^"]*)"')
_NO_PROVIDER = re.compile(r"No provider for SASL mechanism (\S+): ")
_FILE = re.compile(r"(ssl\.[a-z.]+)(?: failed|: )")
_PROPERTY = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")
_PREFIX = re.compile(r"Failed to create (?:consumer|producer|admin client): ")
_WARNED = re.compile(r"Configuration property `?([a-z._]+)`? (.*)")

_MECHANISMS = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"


_ONE_PROPERTY: tuple[tuple[re.Pattern[str], str, str | None], ...] = (
    (
        re.compile(r'Invalid value (?:".*" )?for configuration property "([^"]+)"'),
        "librdkafka does not accept this value",
        None,
    ),
    (
        re.compile(r'Configuration property "([^"]+)" value .* is outside allowed range (\S+)'),
        "must be within {1}",
        None,
    ),
    (re.compile(r'Configuration property "([^"]+)" cannot be set to empty value'), "must not be empty", None),
    (
        re.compile(r'(?:Property|Internal property) "([^"]+)" (?:must be set through|not settable)'),
        "is not for configuration files",
        "for tokens set kafka.auth",
    ),
)
"""librdkafka's messages about one property, with what is reported instead."""


class Refusal(NamedTuple):
    """What librdkafka refuses, or warns of.

    Attributes:
        name: the property; "" if the fault is in none alone.
        message: what is wrong.
        hint: what to do about it.
        warning: True if librdkafka makes a client all the same.
        is_combined: whether the property is valid by itself, so that without it something else would be missing.
    """

    name: str
    message: str
    hint: str | None = None
    warning: bool = False
    is_combined: bool = False


def refusal(text: str, user: Mapping[str, Any]) -> Refusal:
    """The message of librdkafka without the value, which may be a secret."""
    if unknown := _UNKNOWN.search(text):
        known = CONSUMER_ONLY | PRODUCER_ONLY | _OFTEN_USED
        hint = _INSTEAD.get(unknown[1]) or did_you_mean(unknown[1], known)
        return Refusal(unknown[1], "librdkafka has no such property", hint)
    for name, instead in _INSTEAD.items():
        if name in user and text.startswith("Java "):
            return Refusal(name, "librdkafka has no such property", instead)
    for pattern, message, hint in _ONE_PROPERTY:
        if refused := pattern.search(text):
            return Refusal(refused[1], message.format(*refused.groups()), hint)
    return _at_start(_PREFIX.sub("", text), user)


def _at_start(text: str, user: Mapping[str, Any]) -> Refusal:
    """Why a client with these properties, each of which is valid, cannot be made."""
    if missing := _NO_PROVIDER.match(text):
        name = next(
            (each for each in ("sasl.mechanism", "sasl.mechanisms") if each in user), "security.protocol"
        )
        message = f"the client cannot log in with {missing[1]}, which is the default of sasl.mechanism"
        return Refusal(name, message, f"set sasl.mechanism to {_MECHANISMS}, or kafka.auth", is_combined=True)
    if text.startswith(("Unsupported SASL mechanism", "Unsupported hash function")):
        name = "sasl.mechanism" if "sasl.mechanism" in user else "sasl.mechanisms"
        return Refusal(
            name, "librdkafka has no such mechanism", f"one of {_MECHANISMS}, in capitals", is_combined=True
        )
    file = _FILE.search(text)
    if file and file[1] in user:
        return Refusal(file[1], *_unreadable(file[1], str(user[file[1]]), text))
    named = next((name for name in _PROPERTY.findall(text) if name in user), "")
    return Refusal(named, f"librdkafka does not accept this combination: {text.strip()}", is_combined=True)


def _unreadable(name: str, value: str, text: str) -> tuple[str, str | None]:
    if name.endswith(".location") and not Path(value).exists():
        return "no such file", "librdkafka looks from the current directory"
    reason = text.rpartition(":")[2] if name.endswith(".location") else ""
    return "librdkafka cannot read this certificate or key", reason.strip() or "it must be PEM text"


def warning(text: str, user: Mapping[str, Any]) -> Refusal | None:
    """What librdkafka warns of; None if it is about a property that the worker set."""
    warned = _WARNED.match(text)
    if warned is None or warned[1] not in user:
        return None
    return Refusal(warned[1], warned[2].strip().replace("SHA-..", "SHA-*").removesuffix("."), warning=True)


def without_tokens(user: Mapping[str, Any]) -> Iterator[Refusal]:
    """OAUTHBEARER without anything that makes tokens: librdkafka accepts that, and never logs in."""
    name = next(
        (each for each in ("sasl.mechanism", "sasl.mechanisms") if user.get(each) == "OAUTHBEARER"), None
    )
    sources = user.keys() & {"sasl.oauthbearer.method", "enable.sasl.oauthbearer.unsecure.jwt"}
    if name is not None and not sources and user.get("security.protocol", "").upper().startswith("SASL_"):
        yield Refusal(name, "nothing makes tokens", "set kafka.auth, or sasl.oauthbearer.method: oidc")
