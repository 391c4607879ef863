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

    sys.exit(run(sys.argv[1:]))


def _end_on_sigterm() -> None:
    """Exit on SIGTERM until a command installs its own handler: Linux ignores signals without a handler for PID 1.

    A worker that has not started yet has nothing to drain, so `run` exits with 0, on SIGINT as well.
    """
    signal.signal(signal.SIGTERM, _end)
    if "run" in sys.argv[1:]:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, _frame: object) -> None:
    if "run" in sys.argv[1:]:
        os._exit(0)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # Reached only as PID 1, which Linux does not kill. This is the shell's exit code for a signal.
    os._exit(128 + number)


if __name__ == "__main__":
    main()
