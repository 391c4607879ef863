r"""Removes everything from the API's error texts that may quote what was sent.

An error may repeat an email address, an id or a name. Before anyone sees it:

1. what is in quotes goes, unless it is a word of the API's own (`"userId" is required` stays);
2. so does what looks like an email address, a long number, a hexadecimal id or a token, and a word with an escape in it
   (`ada%40example.com`, `ada&#64;example.com`, `ada\u0040example.com`);
3. so does base64 or hexadecimal of a text that was sent;
4. and so does every other word that occurs in the sent body as anything but the name of a field, except ordinary words
   of error messages and an index of a list that was sent, as in `batch[3]`.

What is redacted becomes `…`. Words are compared without case and accents, however Unicode writes them, and are looked
for anywhere in the values, so parts of a value are found as well.

The work is bounded whatever the API returns: the body's values are collected once, only `MAX_READ_CHARS` of each error
are read, and only `MAX_WORDS` different words are looked up.
"""

from __future__ import annotations

import base64
import re
from typing import Any
from unicodedata import normalize

import orjson

MAX_ERROR_CHARS = 300
"""Of an error as it is logged and written to a dead letter: a sentence, not a page."""

MAX_READ_CHARS = 600
"""Of each error before it is redacted, which shortens it."""

MAX_WORDS = 30
"""Different words that are looked up for one response: each takes up to 0.3 ms in a full body, on the event loop. Later
words are redacted."""

REDACTED = "…"
_QUOTED = re.compile(
    r"""\u201c[^\u201d]*(?:\u201d|$)|«[^»]*(?:»|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)|`[^`]*(?:`|$)|(?<!\w)['\u2018](?:[^'\u2019]*['\u2019](?!\w)|.*$)"""
)
_SUSPICIOUS = re.compile(
    r"""[^\s<>()\[\],;:'"`=]+@[^\s<>()\[\],;:'"`=]+"""  # an email address
    r"|\b(?=[\w-]*\d)[0-9a-fA-F][0-9a-fA-F-]{10,}[0-9a-fA-F]\b"  # a UUID, a hash
    r"|\+?\d(?:[\s().-]{0,3}\d){6,}"  # a long number, a phone number
    r"|[\w+/=-]{24,}"  # a token
    r"|[^\s<>()\[\]]*(?:%[0-9a-fA-F]{2}|&#?\w{1,8};|\\[ux][0-9a-fA-F]{2})[^\s<>()\[\]]*"  # escapes
)
_ENCODED = re.compile(r"(?<![\w+/])[\w+/-]{4,}={0,2}")
_WORD = re.compile(r"\w+(?:[-.]\w+)*")
_LIST_BEFORE = re.compile(r"(\w+)(?:\[\d{1,4}\])*\[\Z")
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_REPEATED = re.compile(rf"{REDACTED}(?:[\s.,@:-]*{REDACTED})+")

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
        values, names, lists = _parts_of(sent)
        self._values = _folded("\n".join([*values, secrets]))
        self._names = {_folded(name) for name in names}
        self._all_names = "\n".join(self._names)
        self._lists = {_folded(name) for name in lists}
        self._known: dict[str, bool] = {}

    def redact(self, error: str) -> str:
        """The error without anything that was sent, at most `MAX_ERROR_CHARS` long."""
        text = normalize("NFKC", error[:MAX_READ_CHARS])
        text = _QUOTED.sub(_unless_ordinary, text)
        text = _SUSPICIOUS.sub(REDACTED, text)
        text = _ENCODED.sub(lambda match: REDACTED if self._is_encoded(match[0]) else match[0], text)
        text = _WORD.sub(lambda match: REDACTED if self._was_sent(match) else match[0], text)
        text = _REPEATED.sub(REDACTED, text)
        return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + REDACTED

    def _was_sent(self, match: re.Match[str]) -> bool:
        word = match[0].lower()
        if word in _ORDINARY or (word.isdigit() and self._is_index(match)):
            return False
        return any(part not in _ORDINARY and self._holds(_folded(part)) for part in re.split(r"[-.]", word))

    def _is_index(self, match: re.Match[str]) -> bool:
        """Whether a number in brackets follows the name of a list that was sent."""
        before = _LIST_BEFORE.search(match.string[: match.start()])
        return before is not None and _folded(before[1]) in self._lists

    def _is_encoded(self, word: str) -> bool:
        """Whether a word is the base64 or hexadecimal of a text of three characters or more that was sent."""
        if word.lower() in _ORDINARY:
            return False
        if len(self._known) >= MAX_WORDS:
            return word not in self._known
        encoded = word.replace("-", "+").replace("_", "/").rstrip("=")
        for decode in (_from_base64, bytes.fromhex):
            try:
                text = _folded(decode(encoded).decode())
            except ValueError:
                continue
            if any(len(part) > 2 and self._holds(part) for part in re.findall(r"\w+", text)):
                return True
        return False

    def _holds(self, word: str) -> bool:
        """Whether a word is part of a value, or of the name of a field without being all of it."""
        if word not in self._known:
            if len(self._known) >= MAX_WORDS:
                return True
            in_name = word not in self._names and word in self._all_names
            self._known[word] = in_name or word in self._values
        return self._known[word]


def _parts_of(sent: bytes) -> tuple[set[str], set[str], set[str]]:
    """The distinct values of a body, the names of its fields, and the names of those that hold lists."""
    values: set[str] = set()
    names: set[str] = set()
    lists: set[str] = set()
    try:
        pending: list[Any] = [orjson.loads(sent)]
    except ValueError:
        return {sent.decode("utf-8", "replace")}, names, lists
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            names.update(value)
            lists.update([name for name, each in value.items() if isinstance(each, list)])
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif value is not None and not isinstance(value, bool):
            values.add(value if isinstance(value, str) else str(value))
    return values, names, lists


def _folded(text: str) -> str:
    """Without case and accents: equal for every way in which Unicode can write the same word."""
    return text.lower() if text.isascii() else _ACCENTS.sub("", normalize("NFKD", text)).casefold()


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _unless_ordinary(match: re.Match[str]) -> str:
    return match[0] if match[0][1:-1].lower() in _ORDINARY else REDACTED
