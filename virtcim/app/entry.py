"""The console script: it loads little before Ctrl-C ends it without a trace back."""

from __future__ import annotations

import gc
import signal
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command of this process; the exit status is `virtcim.app.main.main`'s."""
    # Loading takes seconds, and what is interrupted in it has nothing to put in order.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A thousand modules hardly make garbage, and each collection would go through all that they made.
    gc.disable()
    from virtcim.app.main import main as run

    gc.enable()
    return run()


if __name__ == "__main__":
    sys.exit(main())
