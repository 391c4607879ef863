"""The headers of CloudEvents, read by functions that are made for each layout of headers.

A producer writes the same headers in the same order into all records of a topic. A function that knows their order
takes half the time of a dict of them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from worker.core.record_reading import RecordHeaders
from worker.formats.envelopes.cloudevents import CONTENT_TYPE, PREFIX, STRUCTURED
from worker.mapping.compiler.source import Code

IN_HEADERS = ("id", "source", "type")
"""The attributes that binary mode needs beside `specversion`."""

_PARAMETERS = ("", "; charset=UTF-8", "; charset=utf-8", ";charset=UTF-8", ";charset=utf-8")
_STRUCTURED_TYPES = frozenset(f"{STRUCTURED}{rest}".encode() for rest in _PARAMETERS)
_JSON_TYPES = frozenset(f"application/json{rest}".encode() for rest in _PARAMETERS)
"""The spellings of content types that producers use; all others are treated with care."""

MOST_LAYOUTS = 256
"""How many functions are made for the topics of a file; records with further layouts are treated with care."""

Attributes = tuple[msgspec.Struct, bytes]
"""The attributes of a binary event, and its id among those of all sources, in UTF-8."""

Reader = Callable[[RecordHeaders], "Attributes | bool | None"]
"""Reads headers of one layout: True for those of a structured event, None for those that need care."""


def unknown_layout(_: RecordHeaders) -> None:
    """The function for a number of headers of which there is none."""


class HeaderReaders:
    """The functions for the layouts that occurred, in any topic of a mapping file.

    Args:
        about: the type of the struct of attributes.
        names: its first attributes: those that rules read.
    """

    def __init__(self, about: type[msgspec.Struct], names: tuple[str, ...]) -> None:
        self._about = about
        self._names = names
        self._layouts: dict[tuple[str, ...], Reader] = {}

    def read(self, headers: RecordHeaders, newest: dict[int, Reader]) -> Attributes | bool | None:
        """Read headers of another layout than the newest one of as many headers in the topic."""
        layout = tuple(name for name, _ in headers)
        reader = self._layouts.get(layout)
        if reader is None and len(self._layouts) < MOST_LAYOUTS:
            reader = self._layouts[layout] = self._made(layout)
        if reader is None:
            return None
        newest[len(headers)] = reader
        return reader(headers)

    def _made(self, layout: tuple[str, ...]) -> Reader:
        code = Code()
        named = {name: f"value_{number}" for number, name in enumerate(layout)}
        pairs = "".join(f"(name_{number}, value_{number}), " for number in range(len(layout)))
        if len(named) == len(layout):
            code.line(f"[{pairs}] = headers")
            same = [f"name_{number} == {name!r}" for number, name in enumerate(layout)]
            with code.block(f"if {' and '.join(same) or 'True'}:"):
                self._known(code, named)
        code.line("return None")
        return code.build("read", "headers")

    def _known(self, code: Code, named: dict[str, str]) -> None:
        """Write the rest for headers of that layout."""
        content_type = named.get(CONTENT_TYPE)
        if content_type is not None:
            with code.block(f"if {content_type} in {code.constant(_STRUCTURED_TYPES, 'structured')}:"):
                code.line("return True")
        elif f"{PREFIX}specversion" not in named:
            code.line("return True")
        required = {f"{PREFIX}{name}" for name in ("specversion", *IN_HEADERS)}
        if required <= named.keys() and f"{PREFIX}datacontenttype" not in named:
            self._binary(code, named)

    def _binary(self, code: Code, named: dict[str, str]) -> None:
        version, content_type = named[f"{PREFIX}specversion"], named.get(CONTENT_TYPE)
        own, source, type_ = (named[f"{PREFIX}{name}"] for name in IN_HEADERS)
        is_json = f" and {content_type} in {code.constant(_JSON_TYPES, 'json')}" if content_type else ""
        # Text that is not ASCII, and may not be UTF-8, is treated with care; decoding it here may raise.
        undecoded = "" if "type" in self._names else f" and {type_}.isascii()"
        arguments = ", ".join(self._text(named, name) for name in self._names)
        code.lines(f"""
            if {version} == b'1.0' and {own} and {source} and {type_}{is_json}:
                try:
                    own_id = {source} + b'/' + {own}
                    if own_id.isascii(){undecoded}:
                        return {code.constant(self._about, "about")}({arguments}), own_id
                except UnicodeDecodeError:
                    return None
            """)

    @staticmethod
    def _text(named: dict[str, str], name: str) -> str:
        """A Python expression for the text of an attribute."""
        value = named.get(CONTENT_TYPE if name == "datacontenttype" else f"{PREFIX}{name}")
        if value is None:
            return "None"
        return f"{value}.decode() if {value} is not None else None"
