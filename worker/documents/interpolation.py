"""Environment variables in the texts of a document.

document = interpolate(document, os.environ)    # raises ConfigError
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from worker.documents.document import Document, Path
from worker.documents.problems import ConfigError, Problem

_VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def interpolate(
    document: Document, environ: Mapping[str, str], *, optional: Collection[Path] = ()
) -> Document:
    """The document with `${NAME}` and `${NAME:-default}` replaced in its texts, but not in keys.

    The default is used for a variable that is unset or empty; `$${NAME}` is the text `${NAME}`. A variable's value is
    never parsed as YAML: text stays text.

    Args:
        document: the parsed file.
        environ: the variables.
        optional: paths of values that become None where their variable is missing, such as the API key in commands
            that send nothing.

    Raises:
        ConfigError: with every missing variable without a default.
    """
    problems: list[Problem] = []

    def fill(text: str, path: Path) -> str | None:
        missing: list[str] = []
        filled = _VARIABLE.sub(lambda match: _variable(match, environ, missing), text)
        if missing and path in optional:
            return None
        problems.extend(
            document.problem(
                f"the environment variable {name} is not set",
                path,
                hint=f"set it, or write ${{{name}:-default}}",
            )
            for name in missing
        )
        return filled

    data = _map_texts(document.data, (), fill)
    if problems:
        raise ConfigError(problems)
    return Document(document.file, data, document.places, document.lines)


def _variable(match: re.Match[str], environ: Mapping[str, str], missing: list[str]) -> str:
    escaped, name, default = match.groups()
    if escaped:
        return match[0][1:]
    value = environ.get(name) or default
    if value is None and name not in environ:
        missing.append(name)
    return value or ""


def _map_texts(value: Any, path: Path, change: Callable[[str, Path], Any]) -> Any:
    match value:
        case str():
            return change(value, path)
        case dict():
            return {key: _map_texts(item, (*path, key), change) for key, item in value.items()}
        case list():
            return [_map_texts(item, (*path, index), change) for index, item in enumerate(value)]
    return value
