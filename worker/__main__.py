"""`python -m worker` and the console script `pipelines-worker`."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its exit code."""
    _end_on_sigterm()
    from worker.cli.streams import protect_streams

    protect_streams()
    from worker.cli.main import run

    code = run(sys.argv[1:])
    if "run" in sys.argv[1:]:
        _ignore_signals()
    sys.exit(code)


def _end_on_sigterm() -> None:
    """Exit on SIGTERM until a command installs its own handler: Linux ignores signals without a handler for PID 1.

    A worker that has not started yet has nothing to drain, so `run` exits with 0, on SIGINT as well.
    """
    signal.signal(signal.SIGTERM, _end)
    if "run" in sys.argv[1:]:
        signal.signal(signal.SIGINT, _end)


def _ignore_signals() -> None:
    """All is done: another signal must not change the exit code. While Python exits, it takes other handlers away."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, _frame: object) -> None:
    if "run" in sys.argv[1:]:
        os._exit(0)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # Reached only as PID 1, which Linux does not kill. This is the shell's exit code for a signal.
    os._exit(128 + number)


if __name__ == "__main__":
    main()
