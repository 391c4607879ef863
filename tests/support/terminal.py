"""Runs a command on a terminal of its own, as a person would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path


def on_a_terminal(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], *, answer: str = "", columns: int = 80
) -> tuple[int, str]:
    """The exit code, and what stands on the terminal at the end, without colors and progress bars."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(command, cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    printed = b""
    while chunk := _read(ours):
        printed += chunk
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.decode().replace("\r\n", "\n"))
    lines = [line.rpartition("\r")[2] for line in text.split("\n")]
    return process.wait(timeout=60), "\n".join(line for line in lines if "━" not in line)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says at the end
        return b""
