"""A process that has imported what isoglot's commands import, and forks for each of them: the seconds of imports are spent once.

`python -m tests.warm SOCKET` serves until it is terminated; the script that `client` gives asks it to run a command or a file.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]

CLIENT = """
def warm(socket_path, words):
    import json, os, socket, sys

    asked = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(socket_path)
        socket.send_fds(connection, [len(asked).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(asked)
        ended = connection.recv(1)  # nothing, where the process died
    sys.exit(ended[0] if ended else 70)
"""
"""Source of a function that runs `isoglot WORDS...`, or a Python file, with this process's folder, environment and streams."""


def serve(path: str) -> None:
    """Fork for everyone who asks."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from _import_all import import_all

    import_all()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.new")
        listener.listen()
        os.rename(f"{path}.new", path)  # whoever sees it can connect
        while True:
            connection, _ = listener.accept()
            if not os.fork():
                listener.close()
                _answer(connection)
            connection.close()
            while _ended_child():
                pass


def _ended_child() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _answer(connection: socket.socket) -> None:
    """What is asked over the connection, in a process of its own, which ends here."""
    length, streams, _, _ = socket.recv_fds(connection, 4, 3)
    asked = b""
    while len(asked) < int.from_bytes(length, "big"):
        asked += connection.recv(1 << 16)
    words, folder, environment = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = 70
    try:
        code = _run(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code & 255]))
    os._exit(code & 255)


def _run(words: list[str]) -> int:
    if words[0].endswith(".py"):
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
        return 0
    from _moments import ForkedPool

    from isoglot.cli.main import main
    from isoglot.study import grid

    grid.Pool = ForkedPool  # type: ignore[assignment, misc]  # jobs of a study: forks as well
    return main(words)


if __name__ == "__main__":
    serve(sys.argv[1])
