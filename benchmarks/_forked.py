"""Work in a child of this process, which tells of it through a pipe."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """Begin some work, which is given the end of a pipe to write to. The child exits with 0, or 1 where the work raised.

    Returns:
        the child's process id, and the end of the pipe to read from.
    """
    read, sink = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.close(read)
        status = 1
        try:
            work(sink)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(sink)
    return child, read
