"""`python -m worker` and the console script `pipelines-worker`."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    _end_on_sigterm()
    from worker.cli.streams import protect_streams

    protect_streams()
    from worker.cli.main import run

    sys.exit(run(sys.argv[1:]))


def _end_on_sigterm() -> None:
    """Until a command takes care of SIGTERM itself: Linux drops it for PID 1 as long as there is no handler.

    A worker that has not begun is drained: it leaves with 0, on SIGINT too.
    """
    signal.signal(signal.SIGTERM, _end)
    if "run" in sys.argv[1:]:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, _frame: object) -> None:
    if "run" in sys.argv[1:]:
        os._exit(0)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # still here: the first process is not killed by signals of its own


if __name__ == "__main__":
    main()
