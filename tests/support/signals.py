"""Signals to programs that tests start."""

import signal


def hear_ctrl_c() -> None:
    """Have a process that is about to start hear Ctrl-C: whoever runs the tests may not, which is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
