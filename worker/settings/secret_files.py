"""Secrets in files of their own, as Kubernetes mounts them: `{file: path}` in place of a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.documents.document import Path as KeyPath
from worker.documents.files import read_file
from worker.documents.problems import ConfigError

SECRETS: tuple[KeyPath, ...] = (
    ("kafka", "properties", "*"),
    ("schema_registry", "password"),
    ("pipelines", "api_key"),
    ("secrets", "*"),
)
"""The settings that take `{file: path}`; `*` is any key."""

FILE_SCHEMA = {
    "type": "object",
    "properties": {"file": {"type": "string", "minLength": 1}},
    "required": ["file"],
    "additionalProperties": False,
}
"""The JSON Schema of `{file: path}`."""

_HINT = "write the secret itself, or {file: path}"


class SecretFileError(Exception):
    """Why the file of a secret cannot be used. The text never has its content."""


@dataclass
class SecretFiles:
    """What the secrets of a settings file come from.

    Attributes:
        files: the file of each secret that has one.
        missing: for each secret whose file cannot be read, why.
        invalid: for each secret that is neither text nor `{file: path}`, what to write.
    """

    files: dict[KeyPath, Path] = field(default_factory=dict)
    missing: dict[KeyPath, str] = field(default_factory=dict)
    invalid: dict[KeyPath, tuple[str, str]] = field(default_factory=dict)

    def fill_in(self, values: dict[str, Any], base: Path) -> None:
        """Replace each `{file: path}` by the file's text, and remove those that cannot be read.

        Args:
            values: the settings, as read from YAML and the environment; changed in place.
            base: the folder of worker.yaml, for relative paths that the current directory does not have.
        """
        for path in [found for pattern in SECRETS for found in _written(values, pattern)]:
            section = _inner(values, path[:-1])
            self._fill_in(section, path, base)

    def _fill_in(self, section: dict[Any, Any], path: KeyPath, base: Path) -> None:
        reference = section.pop(path[-1])
        name = reference.get("file") if len(reference) == 1 else None
        if not isinstance(name, str) or not name.strip():
            self.invalid[path] = "must be text, or the name of a file", _HINT
            return
        self.files[path] = file = located(name, base)
        try:
            section[path[-1]] = read_secret(file)
        except SecretFileError as error:
            self.missing[path] = str(error)


def located(name: str, base: Path) -> Path:
    """A file by its name: relative to the current directory, then to `base`."""
    file = Path(name)
    return file if file.exists() else base / file


def read_secret(file: Path) -> str:
    """The text of a file, without line breaks at its end, which editors and `echo` add.

    Raises:
        SecretFileError: it cannot be read, or is not UTF-8.
    """
    try:
        return read_file(file).decode().rstrip("\r\n")
    except ConfigError as error:
        raise SecretFileError(f"the file {file}: {error.problems[0].message}") from None
    except UnicodeDecodeError:
        raise SecretFileError(f"the file {file}: is not UTF-8 text") from None


def _written(values: Mapping[Any, Any], pattern: KeyPath, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths that match a pattern and have a mapping as their value."""
    if len(path) == len(pattern):
        yield path
        return
    step = pattern[len(path)]
    for key in list(values) if step == "*" else [step]:
        if isinstance(values.get(key), dict):
            yield from _written(values[key], pattern, (*path, key))


def _inner(values: Any, path: KeyPath) -> dict[Any, Any]:
    for step in path:
        values = values[step]
    inner: dict[Any, Any] = values
    return inner
