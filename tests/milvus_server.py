"""A real Milvus server of one's own for tests and benchmarks, from the wheel: pip install --no-deps milvus==2.3.5 (58 MB).

Run as a program it serves from a directory until its standard input ends, so the server never outlives who started it.
"""

from __future__ import annotations

import fcntl
import importlib.util
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HINT = "needs a Milvus server: pip install --no-deps milvus==2.3.5, or name yours by ISOGLOT_MILVUS_URI"


def is_installed() -> bool:
    """Whether the wheel with the server is there."""
    return importlib.util.find_spec("milvus") is not None


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server that keeps its data in a folder, on a free port, and ends with the block.

    A machine takes one at a time: another process's block is waited for.
    """
    log = folder / "server.log"
    with (Path(tempfile.gettempdir()) / "isoglot-milvus.lock").open("w") as turn, log.open("w") as sink:
        fcntl.flock(turn, fcntl.LOCK_EX)
        command = [sys.executable, __file__, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink, text=True)
        try:
            assert process.stdout is not None
            uri = process.stdout.readline().strip()
            if not uri:
                raise RuntimeError(f"the Milvus server did not start: {log.read_text()[-1000:]}")
            yield uri
        finally:
            process.communicate()  # ends its standard input, and waits


def _main(folder: str) -> None:
    from milvus import MilvusServer, MilvusServerConfig

    config = MilvusServerConfig(data_dir=folder)
    config.set("common.session.ttl", 3600)  # it ends itself where the machine stands still for longer
    server = MilvusServer(config, wait_for_started=False)
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    try:
        server.start()
        while not _is_healthy(server.webservice_port):
            if server.server_proc.poll() is not None:
                sys.exit(f"it ended at once; a machine takes one at a time (see {folder}/logs)")
            if is_over.wait(0.2):
                return
        print(f"http://127.0.0.1:{server.listen_port}", flush=True)
        is_over.wait()
    finally:
        server.stop()


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return b"OK" in answer.read()
    except OSError:
        return False


if __name__ == "__main__":
    _main(sys.argv[1])
