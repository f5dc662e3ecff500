"""`python -m isoglot` (what launchers of several processes call), and the console script."""

import os
import sys

# `python -m` puts the working directory first, and a file there that is called like a library would be imported in its place
if not getattr(sys.flags, "safe_path", False) and sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]


def entry() -> None:
    """Run a command. A Ctrl-C while its code is still being imported ends the process without a word, not with a traceback."""
    import signal

    is_usual = signal.getsignal(signal.SIGINT) == signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from isoglot.cli.main import entry as command

    if is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command()


if __name__ == "__main__":
    entry()
