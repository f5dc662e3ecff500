"""Connections to Milvus: a file of Milvus Lite, a server or a cluster, with errors as one line."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from isoglot.errors import InputError, first_line
from isoglot.optional import needed

_open_files: Counter[str] = Counter()
_lock = threading.Lock()


class Connection:
    """A client of Milvus, given back by `close`.

    Attributes:
        client: pymilvus's MilvusClient.
        is_lite: whether it is a file of this process's own.
        place: the address for messages, without a password.
        timeout: seconds that an answer may take.
    """

    def __init__(self, uri: str, token: str, database: str, timeout: float) -> None:
        self._pymilvus = needed("pymilvus", "the index 'milvus' needs pymilvus", "milvus")
        # it prints every error with a traceback before it raises it
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self.is_lite = is_file(uri)
        self.place, self.timeout = without_password(uri), timeout
        self._file = str(Path(uri).absolute()) if self.is_lite else None
        address = _open_file(self._file) if self._file else uri
        try:
            with self.asking():
                self.client: Any = self._pymilvus.MilvusClient(address, token=token, db_name=database, timeout=timeout)
        except BaseException:
            self._release()
            raise

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn errors of Milvus and of the connection into one line."""
        import grpc

        try:
            yield
        except (self._pymilvus.MilvusException, grpc.RpcError) as error:
            said = getattr(error, "message", None) or getattr(error, "details", lambda: None)() or error
            raise InputError(f"{self.place}: {first_line(Exception(said))}") from error

    def close(self) -> None:
        """Close the client; a file can be opened by another process afterwards."""
        self.client.close()
        self._release()

    def _release(self) -> None:
        if self._file is None:
            return
        with _lock:
            _open_files[self._file] -= 1
            if not _open_files[self._file]:
                del _open_files[self._file]
                needed("milvus_lite.server_manager", "", "milvus").server_manager_instance.release_server(self._file)


def is_file(uri: str) -> bool:
    """Whether an address is that of a Milvus Lite file."""
    return "://" not in uri


def without_password(uri: str) -> str:
    """An address that may be printed."""
    parts = urlsplit(uri)
    return uri if "@" not in parts.netloc else uri.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)


def _open_file(file: str) -> str:
    """The local address of a file's server, which this process runs in threads, started where it is not running yet."""
    if not file.endswith(".db"):
        raise InputError(f"{file}: a file of Milvus Lite ends in .db, and a server's address begins with http://")
    if Path(file).is_file():
        raise InputError(
            f"{file}: is no directory, as Milvus Lite 3 makes; of an earlier version, perhaps: name another"
        )
    if not Path(file).parent.is_dir():
        raise InputError(f"{file}: there is no directory {Path(file).parent}")
    lite = needed("milvus_lite.server_manager", "a Milvus file needs milvus-lite", "milvus")
    heard: list[BaseException] = []
    log = logging.getLogger("milvus_lite.server_manager")
    listener = _Listener(heard)
    propagates, log.propagate = log.propagate, False
    log.addHandler(listener)
    try:
        with _lock:
            servers = lite.server_manager_instance
            if not _open_files[file] and file in getattr(servers, "_servers", ()):
                _open_files[file] = 1  # somebody else in this process has it open, and goes on with it after us
            address: str | None = servers.start_and_get_uri(file)
            if address:
                _open_files[file] += 1
                return address
    finally:
        log.removeHandler(listener)
        log.propagate = propagates
    reason = heard[-1] if heard else None
    if type(reason).__name__ == "DataDirLockedError":
        raise InputError(
            f"{file}: another process has it open, and Milvus Lite takes one at a time; use a server for several"
        )
    raise InputError(f"{file}: Milvus Lite cannot open it ({first_line(reason) if reason else 'no reason given'})")


class _Listener(logging.Handler):
    """Keeps the exceptions that are logged, instead of printing their tracebacks."""

    def __init__(self, heard: list[BaseException]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self._heard.append(record.exc_info[1])
