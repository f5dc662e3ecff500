"""Atomic writes, digests and the places on disk: every file that isoglot writes goes through here."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.disk import exchange, set_aside, sync, sync_tree, temporary
from isoglot.errors import InputError
from isoglot.places import at_home
from isoglot.reading import JsonError, parse_json, read_text


def cache_dir() -> Path:
    """Where isoglot keeps what it can make again: `$ISOGLOT_CACHE`, else `$XDG_CACHE_HOME/isoglot`, else `~/.cache/isoglot`."""
    if own := os.environ.get("ISOGLOT_CACHE"):
        return at_home(own)
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")  # a relative value is to be ignored (XDG specification)
    return (base if base.is_absolute() else Path.home() / ".cache") / "isoglot"


def data_roots(data_dir: str | Path | None) -> list[Path]:
    """Where benchmarks are looked for on this machine: `data_dir`, then `$ISOGLOT_DATA`."""
    return [Path(root) for root in (data_dir, os.environ.get("ISOGLOT_DATA")) if root]


def data_folders(name: str, data_dir: str | Path | None) -> list[Path]:
    """Folders that may hold the files of benchmark `name`: `<root>/<name>` and `<root>` of every root."""
    return [folder for root in data_roots(data_dir) for folder in (root / name, root) if folder.is_dir()]


def inside(directory: Path, name: str) -> Path:
    """The path of a name that a file says, in a directory. InputError for one that leads out of it or says nothing."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or {"..", "~"} & {*parts} or "\\" in name or "\0" in name or ":" in parts[0]:
        raise InputError(f"{directory}: its files name '{name[:80]}', which would lie outside of it")
    return directory / name


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place when the block ends well, and disappears when it does not.

    After the block content and name are on the disk: neither a kill nor a loss of power takes them away.
    """
    with temporary(path, directory=False) as (name, target):
        mode = name.stat().st_mode
        yield name
        name.chmod(mode)  # a library may have made the file anew, with a mode of its own
        sync(name)
        name.replace(target)
        sync(target.parent)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A temporary directory beside `path` that takes its place when the block ends well (an older `path` is replaced).

    After the block its files and their names are on the disk, and only then the older directory is deleted. At every moment
    there is the older one or the new one, whole. Where the file system cannot exchange two names, a kill between two renames
    leaves the older one under another name, and `isoglot.disk.sweep` brings it back.
    """
    with temporary(path, directory=True) as (name, target):
        yield name
        with place_directory(name, target):
            pass


@contextmanager
def place_directory(new: Path, path: Path) -> Iterator[None]:
    """Give a whole directory the name `path`, on the same file system; the block runs between its way to the disk and that.

    An older `path` is deleted, or (where two names can be exchanged at once) has the name of the new one afterwards.
    """
    target = Path(os.path.realpath(path))
    sync_tree(new)
    yield
    old = None
    if not target.exists():
        new.replace(target)
    elif not exchange(new, target):
        old = set_aside(target)
        new.replace(target)
    sync(target.parent)
    if old:
        shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: two spaces of indent, keys in the order given, UTF-8 as it is, no NaN."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write JSON lines atomically."""
    with atomic_path(path) as temporary:
        dump_jsonl(temporary, rows)


def dump_jsonl(path: Path, rows: Iterable[Any], *, packed: bool = False) -> None:
    """Write JSON lines to a path that nobody else reads yet; `packed`: by gzip, the same rows as the same bytes."""
    with ExitStack() as stack:
        raw: Any = stack.enter_context(path.open("wb"))
        if packed:
            raw = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
        sink = stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline="\n"))
        for row in rows:
            sink.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_json(path: Path, *, strict: bool = True) -> Any:
    """Read a JSON file, see `isoglot.reading.parse_json`; InputError names the file, line and column of what is wrong."""
    try:
        return parse_json(read_text(path), strict=strict)
    except JsonError as error:
        raise InputError(f"{path}:{error.line}: not valid JSON ({error})") from None


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of those of the named packages that are installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


class StringDigest:
    """SHA-256 of a sequence of strings, each with its length, so that no two sequences share their bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, strings: Iterable[str]) -> None:
        """The next strings."""
        data = (string.encode("utf-8", "surrogatepass") for string in strings)
        while chunk := b"".join([len(string).to_bytes(8, "little") + string for string in islice(data, 1024)]):
            self._digest.update(chunk)

    def hex(self) -> str:
        """Digest of the strings so far."""
        return self._digest.hexdigest()


def digest_strings(strings: Iterable[str]) -> str:
    """SHA-256 (hex) of a sequence of strings, as `StringDigest` has it."""
    digest = StringDigest()
    digest.add(strings)
    return digest.hex()


def digest_json(value: Any) -> str:
    """SHA-256 (hex) of a JSON value with sorted keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes. OSError where it is none: a pipe would hang, a device never end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def first_file(candidates: Iterable[Path]) -> Path | None:
    """The first of the paths that is a file."""
    return next((path for path in candidates if path.is_file()), None)


def missing_files(directory: Path, names: Iterable[str]) -> list[str]:
    """Those of the names that are no files in `directory`."""
    return [name for name in names if not (directory / name).is_file()]


def save_array(directory: Path, stem: str, array: npt.NDArray[Any]) -> Path:
    """Write an array atomically as `<stem>-<first 16 hex digits of its SHA-256>.npy`: its name says whether it is whole."""
    sink = io.BytesIO()
    np.lib.format.write_array(sink, np.ascontiguousarray(array), allow_pickle=False)
    data = sink.getbuffer()
    path = directory / f"{stem}-{hashlib.sha256(data).hexdigest()[:16]}.npy"
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return path


def load_array(path: Path, *, verify: bool = True) -> npt.NDArray[Any] | None:
    """A read-only map of what `save_array` wrote; None where the file is damaged.

    Args:
        verify: read the whole file and compare its digest; otherwise only its header and size are looked at.
    """
    if not path.is_file():  # a pipe would hang
        return None
    try:
        if verify and not digest_file(path).startswith(path.stem.rpartition("-")[2]):
            return None
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array
