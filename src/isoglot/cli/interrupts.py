"""Ctrl-C and SIGTERM of a command: what it was writing is tidied away, one line is said, and it ends with exit code 130."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from isoglot.processes import processes

INTERRUPTED = 130
"""Exit code of a command that was asked to end."""
_LATER = 0.01  # seconds: then the finaliser has ended that the signal came into


class Interrupts:
    """A context in which both signals raise KeyboardInterrupt; training, studies and the server take them over meanwhile.

    Left as they are: signals that whoever started the command has had ignored (a shell's background jobs), and SIGTERM where
    several processes work together, for one that waits for another in a library would not come to an exception.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._is_over = False

    def __enter__(self) -> Interrupts:
        usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
        if processes().world == 1:
            usual[signal.SIGTERM] = signal.SIG_DFL
        if threading.current_thread() is threading.main_thread():  # elsewhere whoever owns the signals keeps them
            for number, handler in usual.items():
                if signal.getsignal(number) == handler:
                    self._before[number] = signal.signal(number, self._note)
        self._complain, sys.unraisablehook = sys.unraisablehook, self._unraisable
        return self

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._complain
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def over(self) -> None:
        """Nothing is left to be tidied away: another signal ends the process at once."""
        self._is_over = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._is_over:
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt

    def _unraisable(self, caught: Any, /) -> None:
        """In a finaliser or a callback an interrupt would be lost, with a traceback: it is sent again."""
        if not issubclass(caught.exc_type, KeyboardInterrupt):
            self._complain(caught)
        elif not self._is_over:
            again = threading.Timer(_LATER, _thread.interrupt_main)
            again.daemon = True
            again.start()


def die_silently() -> None:
    """From now on the signals end the process without a word; to be called when a command has ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
