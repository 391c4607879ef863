"""Removes everything from the API's error texts that may quote what was sent.

An error may repeat an email address, an id or a name. Before anyone sees it:

1. what is in quotes goes, unless it is a word of the API's own (`"userId" is required` stays);
2. so does what looks like an email address, a long number, a hexadecimal id, base64, percent-encoding or a token;
3. and so does every other word that occurs in a value of the sent body, in any case and Unicode form, except ordinary
   words of error messages and an index as in `batch[3]`.

What is redacted becomes `…`. Rule 3 looks for a word anywhere in the values, so parts of a value are found as well.

The work is bounded whatever the API returns: the body's values are collected once, only `MAX_READ_CHARS` of each error
are read, and only `MAX_WORDS` different words are looked up.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from unicodedata import normalize

import orjson

MAX_ERROR_CHARS = 300
"""Of an error as it is logged and written to a dead letter: a sentence, not a page."""

MAX_READ_CHARS = 600
"""Of each error before it is redacted, which shortens it."""

MAX_WORDS = 60
"""Different words that are looked up for one response: each takes 0.1 ms in a full body. Later words are redacted."""

REDACTED = "…"
_QUOTED = re.compile(
    r"""\u201c[^\u201d]*(?:\u201d|$)|«[^»]*(?:»|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)|`[^`]*(?:`|$)|(?<!\w)['\u2018](?:[^'\u2019]*['\u2019](?!\w)|.*$)"""
)
_SUSPICIOUS = re.compile(
    r"""[^\s<>()\[\],;:'"`=]+@[^\s<>()\[\],;:'"`=]+"""  # an email address
    r"|\S*%[0-9A-Fa-f]{2}\S*"  # percent-encoding
    r"|\b(?=[\w-]*\d)[0-9a-fA-F][0-9a-fA-F-]{10,}[0-9a-fA-F]\b"  # a UUID, a hash
    r"|\+?\d(?:[\s().-]{0,3}\d){6,}"  # a long number, a phone number
    r"|[\w+/-]{4,}={1,2}(?!\w)"  # padded base64
    r"|[\w+/=-]{24,}"  # a token
)
_WORD = re.compile(r"\w+(?:[-.]\w+)*")
_INDEX = re.compile(r"\b(?:batch|calls?|events?|items?|messages?)\[\d{1,4}\]")
_REPEATED = re.compile(rf"{REDACTED}(?:[\s.,@:-]*{REDACTED})+")
_MIN_BASE64_CHARS = 6

_ORDINARY = frozenset(
    """
    a an and any are array as at at_least be because been boolean but by can cannot characters contain
    contains could date does each either empty end error errors exceed exceeded exceeds expected failed
    field fields for format found from got greater has have if in incorrect index integer invalid is it
    item items its json key least length less limit long longer malformed match maximum message minimum
    missing more most must name no non not null number object of on one only or out parse payload property
    range request require required requires server should size string supported than that the there this
    to too type unable unauthorized unexpected unknown unsupported valid value values was were when with
    without write wrong you your bad forbidden gateway internal large many method proxy rate requests
    service temporarily timeout unavailable bytes kb mb http https api batch call calls event events body
    header schema strict mode basic auth authorization identify track page screen group alias user person
    device relationship userid anonymousid groupid previousid messageid objectid objecttypeid timestamp
    originaltimestamp sentat id ids s t don won doesn isn aren
    traits properties context integrations category token devicetype deliveryid
    metric email
    """.split()  # noqa: SIM905 - a list of words reads best as words
)


class Redaction:
    """Redacts the errors of one response.

    Args:
        sent: the body of the request, whose values must not be repeated.
        secrets: what must not be repeated either.
    """

    def __init__(self, sent: bytes, secrets: str = "") -> None:
        self._values = _folded("\n".join([*_distinct_values(sent), secrets]))
        self._known: dict[str, bool] = {}

    def redact(self, error: str) -> str:
        """The error without anything that was sent, at most `MAX_ERROR_CHARS` long."""
        text = _QUOTED.sub(_unless_ordinary, normalize("NFC", error[:MAX_READ_CHARS]))
        pieces = []
        end = 0
        for index in _INDEX.finditer(text):
            pieces += [self._without_values(text[end : index.start()]), index[0]]
            end = index.end()
        pieces.append(self._without_values(text[end:]))
        text = _REPEATED.sub(REDACTED, "".join(pieces))
        return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + REDACTED

    def _without_values(self, text: str) -> str:
        text = _SUSPICIOUS.sub(REDACTED, text)
        return _WORD.sub(lambda match: REDACTED if self._was_sent(match[0]) else match[0], text)

    def _was_sent(self, word: str) -> bool:
        return _folded(word) not in _ORDINARY and any(map(self._occurs, re.split(r"[-.]", word)))

    def _occurs(self, part: str) -> bool:
        folded = _folded(part)
        if folded in _ORDINARY:
            return False
        # By the word as written: base64 depends on case.
        if part not in self._known:
            if len(self._known) >= MAX_WORDS:
                return True
            decoded = _from_base64(part)
            self._known[part] = folded in self._values or (decoded is not None and decoded in self._values)
        return self._known[part]


def _distinct_values(sent: bytes) -> set[str]:
    """The texts and numbers of a body, but not the names of its fields, which errors may well mention."""
    try:
        pending: list[Any] = [orjson.loads(sent)]
    except ValueError:
        return {sent.decode("utf-8", "replace")}
    found: set[str] = set()
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif value is not None and not isinstance(value, bool):
            found.add(value if isinstance(value, str) else str(value))
    return found


def _folded(text: str) -> str:
    return normalize("NFKC", text).casefold()


def _from_base64(word: str) -> str | None:
    """The text that a word may be the base64 of."""
    if len(word) < _MIN_BASE64_CHARS or not word.isascii():
        return None
    try:
        decoded = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    return _folded(decoded) if decoded.isprintable() else None


def _unless_ordinary(match: re.Match[str]) -> str:
    return match[0] if _folded(match[0][1:-1]) in _ORDINARY else REDACTED
