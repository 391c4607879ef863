"""Configuration files as bytes. Only regular files are read: a FIFO or a device would make the program wait."""

from __future__ import annotations

import stat
from pathlib import Path

from worker.documents.document import MAX_FILE_BYTES
from worker.documents.problems import ConfigError, Problem


def read_file(path: str | Path, *, missing: str | None = None, limit: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a configuration file; of one that is too large, enough for `document.parse` to refuse it.

    Args:
        path: the file, as the user named it.
        missing: the hint for a file that does not exist.
        limit: the most bytes that it may have; one more is read, so that the reader can tell.

    Raises:
        ConfigError: it does not exist, is not a regular file, or cannot be read.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ConfigError([_not_a_file(path)])
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        raise ConfigError([Problem("no such file", str(path), hint=missing)]) from None
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", str(path))]) from None
    except ValueError:  # a NUL byte in the name
        raise ConfigError([Problem("cannot be read: not a valid file name", str(path))]) from None


def _not_a_file(path: str | Path) -> Problem:
    kind = "is a directory" if Path(path).is_dir() else "is not a regular file"
    hint = None if Path(path).is_dir() else "FIFOs and devices are not read: write the text to a file"
    return Problem(f"cannot be read: {kind}", str(path), hint=hint)
