r"""What the API says about a refused batch, made fit for a log line and a dead letter's header.

The API's errors may quote what was sent: an email address, an id, a name. They are redacted before anyone
sees them:

1. what stands in quotes goes, unless it is a word of the API's own (`"userId" is required` stays);
2. so does what looks like an email address, a long number, a hexadecimal id or a token, and a word with an
   escape in it (`ada%40example.com`, `ada&#64;example.com`, `ada\u0040example.com`);
3. so does what was sent, in base64 or hexadecimal;
4. and so does every other word that occurs in the sent body as anything but a field's name, except ordinary
   words of error messages and an index of a list that was sent, as in `batch[3]`.

What is redacted becomes `…`. Words are compared without case and accents, however Unicode writes them, and
looked for anywhere in the body, so parts of a value are found as well.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ERRORS = 10
MAX_ERROR_CHARS = 300
_MAX_READ_CHARS = 600
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
    r"|[^\s<>()\[\]]*(?:%[0-9a-fA-F]{2}|&#?\w{1,8};|\\[ux][0-9a-fA-F]{2})[^\s<>()\[\]]*"  # escapes
)
_ENCODED = re.compile(r"(?<![\w+/])[\w+/-]{4,}={0,2}")
_WORD = re.compile(r"\w+(?:[-.]\w+)*")
_LIST_BEFORE = re.compile(r"(\w+)(?:\[\d{1,4}\])*\[\Z")
_FIELD = re.compile(r'"(\w+)":')
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
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
    values = Sent(f"{sent.decode('utf-8', 'replace')}\n{secrets}")
    return tuple(redact(words, values) for words in found)


class Sent:
    """The words that were sent, made ready once to look for others among them.

    Args:
        body: what was sent, and whatever else must not be repeated.
    """

    def __init__(self, body: str) -> None:
        folded = _folded(body)
        self._lists = set(re.findall(r'"(\w+)":\[', folded))
        self._names = set(_FIELD.findall(folded))
        self._all_names = "\n".join(self._names)
        self._values = "\n".join(set(re.findall(r"\w+", _FIELD.sub(" ", folded))))
        self._known: dict[str, bool] = {}

    def holds(self, word: str) -> bool:
        """Whether a word is a part of what was sent, or more than just the whole name of a field."""
        known = self._known.get(word)
        if known is None:
            held = word in self._values or (word not in self._names and word in self._all_names)
            known = self._known[word] = held
        return known

    def has_list(self, name: str) -> bool:
        """Whether a field of this name holds a list."""
        return name in self._lists


def redact(words: str, sent: Sent) -> str:
    """The same words without anything that was sent; see the module's rules."""
    words = unicodedata.normalize("NFKC", words[:_MAX_READ_CHARS])
    words = _QUOTED.sub(_unless_ordinary, words)
    words = _TELLING.sub(REDACTED, words)
    words = _ENCODED.sub(lambda match: _unless_it_decodes(match, sent), words)
    words = _WORD.sub(lambda match: _unless_sent(match, sent), words)
    words = _REPEATED.sub(REDACTED, words)
    return words if len(words) <= MAX_ERROR_CHARS else words[: MAX_ERROR_CHARS - 1] + "…"


def _folded(text: str) -> str:
    """Without case and accents: equal for every way in which Unicode can write the same word."""
    if text.isascii():
        return text.lower()
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()


def _unless_ordinary(match: re.Match[str]) -> str:
    return match[0] if match[0][1:-1].lower() in _ORDINARY else REDACTED


def _unless_it_decodes(match: re.Match[str], sent: Sent) -> str:
    """Redacted, if it is a text of at least three characters that was sent, encoded."""
    encoded = match[0].replace("-", "+").replace("_", "/").rstrip("=")
    for decode in (_from_base64, bytes.fromhex):
        try:
            text = _folded(decode(encoded).decode())
        except ValueError:
            continue
        if any(len(word) > 2 and sent.holds(word) for word in re.findall(r"\w+", text)):
            return REDACTED
    return match[0]


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _unless_sent(match: re.Match[str], sent: Sent) -> str:
    word = match[0].lower()
    if word in _ORDINARY or (word.isdigit() and _is_an_index(match, sent)):
        return match[0]
    parts = re.split(r"[-.]", word)
    return match[0] if all(each in _ORDINARY or not sent.holds(_folded(each)) for each in parts) else REDACTED


def _is_an_index(match: re.Match[str], sent: Sent) -> bool:
    """Whether a number stands in brackets behind the name of a list that was sent."""
    before = _LIST_BEFORE.search(match.string[: match.start()])
    return before is not None and sent.has_list(_folded(before[1]))


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
