"""YAML files as plain values that know their position.

This reads the part of YAML 1.2 that configuration needs: one document, the core schema's scalars, no tags, no anchors,
no aliases, no duplicate keys, text keys. Anything else is a problem with line and column, and all are reported at once.

    document = parse(read_file("config/worker.yaml"), "config/worker.yaml")   # raises ConfigError
    document.data["kafka"]["group_id"]
    document.problem("that group exists", ("kafka", "group_id"), hint="choose another")
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from worker.documents.problems import ConfigError, Problem
from worker.documents.syntax_errors import quotes_hint, syntax_problem

Path = tuple[str | int, ...]
"""The path of a value: keys, and positions in lists counted from 0."""

MAX_FILE_BYTES = 1_000_000
"""A larger configuration file is a mistake (this program's own limit)."""

MAX_FILE_DEPTH = 64
"""Levels of nested lists and mappings (this program's own limit)."""


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a value in its file. Lines and columns are counted from 1.

    Attributes:
        line, column: of the value's first character, its quote included.
        key_line, key_column: of its key; of the value itself where it has none.
        style: of a scalar: `'`, `"`, `|`, `>`; empty for plain scalars, lists and mappings.
        multiline: whether it spans several lines.
    """

    line: int
    column: int
    key_line: int
    key_column: int
    style: str = ""
    multiline: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    Attributes:
        file: its name as the user gave it.
        data: None, bool, int, float, str, list and dict with text keys.
        places: the position of each value; the whole document is at `()`.
        lines: the text, for columns inside a scalar.
    """

    file: str
    data: Any
    places: dict[Path, Place] = field(repr=False)
    lines: list[str] = field(repr=False)

    def place(self, path: Path) -> Place:
        """The place of a value, or of the nearest thing around it that was written."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def position(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column of a value, or with `key` of its key."""
        place = self.place(path)
        return (place.key_line, place.key_column) if key else (place.line, place.column)

    def is_quoted(self, path: Path) -> bool:
        """Whether a scalar is written in single or double quotes."""
        return self.place(path).style in {"'", '"'}

    def point(self, path: Path, offset: int) -> tuple[int, int]:
        """Line and column of a text's character (counted from 0); of the text itself if its style hides them."""
        place = self.place(path)
        if place.style == "|":
            return self._point_in_block(place, path, offset)
        if place.multiline or place.style == ">":
            return place.line, place.column
        return place.line, place.column + _written_length(self._rest(place), place.style, offset)

    def problem(  # noqa: PLR0913 - the words of a problem; all but two by name
        self,
        message: str,
        path: Path = (),
        *,
        offset: int | None = None,
        key: bool = False,
        hint: str | None = None,
        warning: bool = False,
    ) -> Problem:
        """A problem at a value, at its key, or at a character inside of it."""
        at = self.position(path, key=key) if offset is None else self.point(path, offset)
        return Problem(message, self.file, *at, hint=hint, warning=warning)

    def _rest(self, place: Place) -> str:
        return self.lines[place.line - 1][place.column - 1 :]

    def _point_in_block(self, place: Place, path: Path, offset: int) -> tuple[int, int]:
        text: Any = self.data
        for step in path:
            text = text[step]
        before = text[: min(offset, len(text.rstrip("\n")))]
        line = place.line + 1 + before.count("\n")
        if line > len(self.lines):
            return place.line, place.column
        source = self.lines[line - 1]
        written = text.split("\n")[before.count("\n")]
        indent = len(source) - len(written)
        return line, max(indent, 0) + len(before.rpartition("\n")[2]) + 1


def _written_length(source: str, style: str, offset: int) -> int:
    """How many characters the first `offset` of a text take as written on one line."""
    if not style:
        return offset
    at = 1
    for _ in range(offset):
        escape = _ESCAPE.match(source, at) if style == '"' else None
        at += len(escape[0]) if escape else 2 if source.startswith("''", at) and style == "'" else 1
    return at


_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")


class UnsupportedYAML(ConfigError):  # noqa: N818 - named as what it is about
    """The document is YAML with parts that configuration does not have; what could be read is there.

    Attributes:
        document: the document, only for finding more problems.
    """

    def __init__(self, problems: list[Problem], document: Document) -> None:
        super().__init__(problems)
        self.document = document


def parse(source: bytes | str, file: str) -> Document:
    """Read a YAML document.

    Raises:
        UnsupportedYAML: with everything that configuration does not have.
        ConfigError: it is not YAML; with the line and column.
    """
    content = source.encode(errors="surrogatepass") if isinstance(source, str) else source
    text = utf8_text(content, file)
    lines = text.splitlines() or [""]
    reader = _Reader(file, lines)
    try:
        data = reader.document(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        problem = syntax_problem(error, file, lines)
        others = [each for each in reader.problems if each.line != problem.line]
        raise ConfigError([*others, problem]) from None
    except ReaderError as error:
        read = text[: error.position or 0]
        at = read.count("\n") + 1, len(read.rpartition("\n")[2]) + 1
        raise ConfigError([Problem("a control character that YAML does not allow", file, *at)]) from None
    except YAMLError:
        raise ConfigError([Problem("not YAML", file)]) from None
    document = Document(file, data, reader.places, lines)
    if reader.problems:
        raise UnsupportedYAML(reader.problems, document)
    return document


def utf8_text(content: bytes, file: str, limit: int = MAX_FILE_BYTES) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        ConfigError: it has more than `limit` bytes, or is not UTF-8.
    """
    if len(content) > limit:
        raise ConfigError([Problem(f"larger than {limit:,} bytes", file)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem("not UTF-8", file, line, hint="save the file as UTF-8")]) from None


class _Reader:
    """Builds values from ruamel's events, which know style, tag and anchor of each node."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.file = file
        self.lines = lines
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []

    def document(self, events: Iterator[Event]) -> Any:
        """The value of the stream's only document."""
        data: Any = None
        documents = 0
        self.places[()] = Place(1, 1, 1, 1)
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._no_directives(event)
                if documents == 1:
                    data = self.node(events, next(events), (), None)
                else:
                    self.report("a second document", event, "keep one document a file: remove the '---'")
                    return data
            elif isinstance(event, StreamEndEvent):
                break
        return data

    def node(self, events: Iterator[Event], event: Event, path: Path, key: Event | None) -> Any:
        if len(path) > MAX_FILE_DEPTH:
            raise ConfigError([*self.problems, self._problem(f"deeper than {MAX_FILE_DEPTH} levels", event)])
        self._no_tag_or_anchor(event)
        self.places[path] = _place(event, key or event)
        if isinstance(event, MappingStartEvent):
            return self.mapping(events, path)
        if isinstance(event, SequenceStartEvent):
            return self.sequence(events, path)
        return self.scalar(event) if isinstance(event, ScalarEvent) else None

    def mapping(self, events: Iterator[Event], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in events:
            if isinstance(key, MappingEndEvent):
                break
            name = self.key(events, key, path)
            if name in found:
                line = self.places[(*path, name)].key_line
                self.report(f"the key '{name}' is duplicated", key, f"the first is in line {line}")
                self.node(events, next(events), (*path, name, "again"), key)
            else:
                found[name] = self.node(events, next(events), (*path, name), key)
        return found

    def key(self, events: Iterator[Event], event: Event, path: Path) -> str:
        if isinstance(event, ScalarEvent):
            self._no_tag_or_anchor(event)
            if event.style or isinstance(_core_schema(event.value), str):
                return self.text(event)
            self.report(f"the key {event.value or '(nothing)'} is not text", event, "put it in quotes")
            return str(event.value)
        outer, mark = self.places[path], event.start_mark
        if isinstance(event, MappingStartEvent) and (outer.line, outer.column) == (
            mark.line + 1,
            mark.column,
        ):
            hint = "{{...}} is not a template here: write the expression without braces"
            at = outer.line, outer.column
            self.problems.append(Problem("a key must be text", self.file, *at, hint=hint))
        else:
            self.report("a key must be text", event)
        self.node(events, event, (*path, "key"), event)
        return f"key in line {event.start_mark.line + 1}"

    def sequence(self, events: Iterator[Event], path: Path) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            found.append(self.node(events, event, (*path, len(found)), None))
        return found

    def scalar(self, event: ScalarEvent) -> Any:
        if event.style:
            return self.text(event)
        value = _core_schema(event.value)
        if value is _UNHOLDABLE:
            self.report(f"the number {event.value[:30]} cannot be represented in JSON", event)
            return None
        return value

    def text(self, event: ScalarEvent) -> str:
        """A text; escapes may spell a character as a surrogate pair, as JSON does, but not as half of one."""
        try:
            return str(event.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.report("half of a surrogate pair is not a character", event)
            return ""

    def report(self, message: str, event: Event, hint: str | None = None) -> None:
        self.problems.append(self._problem(message, event, hint))

    def _problem(self, message: str, event: Event, hint: str | None = None) -> Problem:
        mark = event.start_mark
        return Problem(message, self.file, mark.line + 1, mark.column + 1, hint=hint)

    def _no_directives(self, event: DocumentStartEvent) -> None:
        if event.version or event.tags:
            self.report("YAML directives (%YAML, %TAG) are not supported", event, "remove the line")

    def _no_tag_or_anchor(self, event: Event) -> None:
        if isinstance(event, AliasEvent):
            self.report(f"aliases (*{event.anchor}) are not supported", event, "write the value out")
        elif tag := getattr(event, "tag", None):
            expression = isinstance(event, ScalarEvent) and not tag.startswith("tag:") and not event.style
            line, start = self.lines[event.start_mark.line], event.start_mark.column
            # An anchor before the tag moves it to the right.
            column = max(line.rfind(tag, 0, start + len(tag)), 0) if expression else start
            hint = quotes_hint(line) if expression else "remove it; quotes make a value text"
            at = event.start_mark.line + 1, column + 1
            self.problems.append(Problem(f"tags ({tag}) are not supported", self.file, *at, hint=hint))
        elif anchor := getattr(event, "anchor", None):
            self.report(f"anchors (&{anchor}) are not supported", event, "remove it")


def _place(event: Event, key: Event) -> Place:
    start, end = event.start_mark, event.end_mark
    line, column = start.line + 1, start.column + 1
    style = (event.style or "") if isinstance(event, ScalarEvent) else ""
    key_at = key.start_mark
    return Place(line, column, key_at.line + 1, key_at.column + 1, style, end.line > start.line)


_UNHOLDABLE = object()
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def _core_schema(text: str) -> Any:
    """What a plain scalar means (YAML 1.2.2, section 10.3.2, the core schema)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text) or _BASED.match(text):
        # Twenty digits are all of 64 bits: longer ones cannot be sent, and int() refuses very long ones.
        number = int(text, 0 if text.startswith(("0o", "0x")) else 10) if len(text) <= 24 else 2**64
        return number if -(2**63) <= number < 2**64 else _UNHOLDABLE
    if _FLOAT.match(text):
        return float(text) if math.isfinite(float(text)) else _UNHOLDABLE
    return _UNHOLDABLE if _NOT_FINITE.match(text) else text
