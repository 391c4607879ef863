"""Reads `tables` of a mapping file: keys and values, written there or in a file of their own.

A table's file is CSV with a header line (the first column is the key, the second the value), YAML or JSON. It is found
from the current directory, else from the mapping file's.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.documents.document import Document, Path, parse, utf8_text
from worker.documents.files import read_file
from worker.documents.problems import ConfigError, Problem
from worker.mapping.expressions.tables import Table

MAX_TABLE_BYTES = 10_000_000
"""A larger table would make every start slow (this program's own limit): it belongs into the producer's data."""


def read_tables(given: Any, document: Document, problems: list[Problem]) -> dict[str, Table | None]:
    """Each table by its name; None for one that is wrong, which is reported.

    Args:
        given: the value of `tables`.
        document: the mapping file.
        problems: where to add the problems found.
    """
    if not isinstance(given, dict):
        hint = "{countries: tables/countries.csv}"
        problems.append(document.problem("`tables` must name tables", ("tables",), hint=hint))
        return {}
    return {name: _table(value, ("tables", name), document, problems) for name, value in given.items()}


def _table(given: Any, path: Path, document: Document, problems: list[Problem]) -> Table | None:
    if isinstance(given, dict):
        return given
    if not isinstance(given, str):
        hint = "{DE: Germany}, or the name of a .csv, .yaml or .json file"
        problems.append(document.problem("a table must have keys and values", path, hint=hint))
        return None
    found = FilePath(given) if FilePath(given).exists() else FilePath(document.file).parent / given
    read = _READERS.get(found.suffix.lower())
    if read is None:
        hint = did_you_mean(found.suffix, _READERS) or f"one of {', '.join(_READERS)}"
        problems.append(
            document.problem(f"the kind of table is told by the file's name, not '{given}'", path, hint=hint)
        )
        return None
    if not found.exists():
        hint = "it is looked for in the current directory, then in this file's"
        problems.append(document.problem(f"there is no file '{given}'", path, hint=hint))
        return None
    try:
        return read(read_file(found, limit=MAX_TABLE_BYTES), str(found))
    except ConfigError as error:
        problems.extend(error.problems)
        return None


def _yaml(content: bytes, file: str) -> Table:
    return _object(parse(content, file).data, file)


def _json(content: bytes, file: str) -> Table:
    text = utf8_text(content, file, MAX_TABLE_BYTES)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                line = _line(text, rf'"{re.escape(key)}"\s*:', occurrence=2)
                raise ConfigError([Problem(f"the key '{key}' is duplicated", file, line)])
            found[key] = value
        return found

    def no_number(name: str) -> Any:
        line = _line(text, rf"[:,\[]\s*{name}\b")
        raise ConfigError([Problem(f"not JSON: {name} is not a number of JSON", file, line)])

    try:
        return _object(json.loads(text, object_pairs_hook=once, parse_constant=no_number), file)
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(f"not JSON: {error.msg}", file, error.lineno, error.colno)]) from None
    except (ValueError, RecursionError):
        raise ConfigError([Problem("not JSON: too many digits or levels", file)]) from None


def _line(text: str, pattern: str, occurrence: int = 1) -> int | None:
    """The line in which a pattern ends for the nth time: Python's decoder of JSON knows no positions of keys."""
    ends = [found.end() for found in re.finditer(pattern, text)]
    return text.count("\n", 0, ends[occurrence - 1]) + 1 if len(ends) >= occurrence else None


def _object(data: Any, file: str) -> Table:
    if isinstance(data, dict):
        return data
    raise ConfigError([Problem("a table must have keys and values", file, 1, hint="DE: Germany")])


def _csv(content: bytes, file: str) -> Table:
    table: dict[str, Any] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for line, row in _rows(utf8_text(content, file, MAX_TABLE_BYTES), file):
        key, value = row[0], row[1]
        if key in table:
            message = f"the key '{key}' is duplicated"
            problems.append(Problem(message, file, line, hint=f"the first is in line {lines[key]}"))
        table[key], lines[key] = value, line
    if problems:
        raise ConfigError(problems)
    return table


def _rows(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header, each with its line; blank lines are none."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            if not row:
                continue
            if header is None:
                header = _header(row, file)
            elif len(row) != len(header):
                said = f"{len(row)} column{'' if len(row) == 1 else 's'}, but the header has {len(header)}"
                hint = "a value that holds a comma needs double quotes" if len(row) > len(header) else None
                raise ConfigError([Problem(said, file, reader.line_num, hint=hint)])
            else:
                yield reader.line_num, row
    except csv.Error as error:
        raise ConfigError([Problem(f"not CSV: {error}", file, reader.line_num)]) from None
    if header is None:
        raise ConfigError([Problem("the header line is missing", file, 1, hint="code,name")])


def _header(row: list[str], file: str) -> list[str]:
    if len(row) > 1:
        return row
    hint = "columns are separated by commas" if ";" in row[0] or "\t" in row[0] else "code,name"
    raise ConfigError([Problem("a table has two columns, the key and the value", file, 1, hint=hint)])


_READERS: dict[str, Callable[[bytes, str], Table]] = {
    ".csv": _csv,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".json": _json,
}
