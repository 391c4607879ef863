"""What the API says about a refused batch, made fit for a log line and a dead letter's header.

The API's errors may quote what was sent: an email address, an id, a name. They are redacted before anyone
sees them:

1. what stands in quotes goes, unless it is a word of the API's own (`"userId" is required` stays);
2. so does what looks like an email address, a long number, a hexadecimal id or a token;
3. and so does every other word that occurs in the sent body (case aside) as anything but a field's name,
   except ordinary words of error messages and an index in square brackets, as in `batch[3]`.

What is redacted becomes `…`. Rule 3 looks for a word anywhere in the body, so parts of a value are found
as well.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ERRORS = 10
MAX_ERROR_CHARS = 300
_MAX_READ_CHARS = 2_000
"""Of each error, before it is redacted and shortened."""

_MAX_LEVELS = 5
_SAYING = ("meta", "errors", "error", "message", "detail", "reason", "title", "description")
"""Where texts are found: `{"meta": {"errors": [...]}}` (API reference), and what gateways answer."""

REDACTED = "…"
_QUOTED = re.compile(
    r"""\u201c[^\u201d]*(?:\u201d|$)|«[^»]*(?:»|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)|`[^`]*(?:`|$)|(?<!\w)['\u2018](?:[^'\u2019]*['\u2019](?!\w)|.*$)"""
)
_TELLING = re.compile(
    r"""[^\s<>()\[\],;:'"`=]+@[^\s<>()\[\],;:'"`=]+"""  # an email address
    r"|\b(?=[\w-]*\d)[0-9a-fA-F][0-9a-fA-F-]{10,}[0-9a-fA-F]\b"  # a UUID, a hash
    r"|\+?\d(?:[\s().-]{0,3}\d){6,}"  # a long number, a phone number
    r"|[\w+/=-]{24,}"  # a token
)
_WORD = re.compile(r"(?<=\[)\d{1,4}(?=\])|\w+(?:[-.]\w+)*")
_REPEATED = re.compile(rf"{REDACTED}(?:[\s.,@:-]*{REDACTED})+")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]+")
_TAG = re.compile(r"<[^<>]*>")

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


def is_json(text: bytes) -> bool:
    """Whether an answer's body is empty or JSON, as everything is that comes from the API itself."""
    if text == b"{}" or not text.strip():
        return True
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def errors_in(text: bytes, sent: bytes, secrets: str = "") -> tuple[str, ...]:
    """The errors of an answer's body: at most `MAX_ERRORS`, each redacted and at most `MAX_ERROR_CHARS` long.

    Args:
        text: the answer's body: the API's JSON, another JSON, or the page of something in between.
        sent: the body of the request, whose values must not be repeated.
        secrets: what must not be repeated either.
    """
    if text == b"{}":
        return ()
    found = list(islice(_texts_of(text), MAX_ERRORS))
    if not found:
        return ()
    haystack = f"{sent.decode('utf-8', 'replace')}\n{secrets}".lower()
    return tuple(redact(words, haystack) for words in found)


def redact(words: str, haystack: str) -> str:
    """The same words without anything that the sent body (lower case) holds; see the module's rules."""
    words = _QUOTED.sub(_unless_ordinary, words[:_MAX_READ_CHARS])
    words = _TELLING.sub(REDACTED, words)
    words = _WORD.sub(lambda match: _unless_sent(match, haystack), words)
    words = _REPEATED.sub(REDACTED, words)
    return words if len(words) <= MAX_ERROR_CHARS else words[: MAX_ERROR_CHARS - 1] + "…"


def _unless_ordinary(match: re.Match[str]) -> str:
    return match[0] if match[0][1:-1].lower() in _ORDINARY else REDACTED


def _unless_sent(match: re.Match[str], haystack: str) -> str:
    word = match[0].lower()
    if word in _ORDINARY or (word.isdigit() and match.string[match.start() - 1 : match.start()] == "["):
        return match[0]
    if all(_is_harmless(part, haystack) for part in re.split(r"[-.]", word)):
        return match[0]
    return REDACTED


def _is_harmless(word: str, haystack: str) -> bool:
    return word in _ORDINARY or haystack.count(word) == haystack.count(f'"{word}":')


def _texts_of(text: bytes) -> Iterator[str]:
    try:
        found = _texts(orjson.loads(text), _MAX_LEVELS)
    except ValueError:
        page = text.decode("utf-8", "replace")[: 2 * _MAX_READ_CHARS]
        found = iter([_TAG.sub(" ", page)])
    for words in found:
        if plain := _UNPRINTABLE.sub(" ", words).strip():
            yield plain


def _texts(value: Any, levels: int) -> Iterator[str]:
    """Every text in the places where errors are told."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and levels:
        for item in value:
            yield from _texts(item, levels - 1)
    elif isinstance(value, dict) and levels:
        for name in _SAYING:
            if name in value:
                yield from _texts(value[name], levels - 1)
