"""Digests of the files of a folder, block by block, so that damage is noticed before a file is mapped or read.

A folder that was whole has `blocks.json`: of every file its size and the XXH3 (64 bits) of each `BLOCK` bytes. It is a checksum
against broken disks, cut copies and bad memory, not against somebody who changes files on purpose.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.disk import check_writable
from isoglot.errors import InputError, say
from isoglot.files import atomic_directory, digest_json, read_json, write_json
from isoglot.one_writer import locked, tidy

RECORD = "blocks.json"
BLOCK = 1 << 20
MOST_AT_OPENING = 512
"""Blocks up to which opening looks at all of them (0.1 s from memory)."""
SAMPLE = 128
"""Blocks that opening looks at where there are more: the ends of every file, and others by chance."""
_FORMAT = 1


def write_blocks(folder: Path) -> None:
    """Record every file under `folder` as it is now."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / RECORD):
        size = path.stat().st_size
        digests = "".join(digest for _, digest in _digests(path, range(-(-size // BLOCK))))
        files[path.relative_to(folder).as_posix()] = {"bytes": size, "xxh3_64": digests}
    content = {"format": _FORMAT, "block_bytes": BLOCK, "files": files}
    write_json(folder / RECORD, {**content, "digest": digest_json(content)})


def damage(folder: Path, *, everything: bool = False) -> str | None:
    """What is damaged in a folder that `write_blocks` has recorded, as "FILE: what"; None where nothing is.

    The sizes of all files are compared, and their blocks: all of them where the folder has at most `MOST_AT_OPENING`, otherwise
    the first and last of every file and `SAMPLE` others.

    Args:
        everything: look at all blocks, however many there are.
    """
    try:
        files = _recorded(folder)
    except (InputError, OSError) as error:
        return str(error)
    for name, (size, _) in files.items():
        try:
            there = (folder / name).stat().st_size
        except OSError as error:
            return f"{folder / name}: {error.strerror or error}"
        if there != size:
            return f"{folder / name}: {there:,} bytes, expected {size:,}"
    total = sum(len(digests) for _, digests in files.values())
    for name, (_, digests) in files.items():
        is_sample = total > MOST_AT_OPENING and not everything
        chosen = _sample(len(digests), total) if is_sample else range(len(digests))
        try:
            wrong = next((block for block, found in _digests(folder / name, chosen) if found != digests[block]), None)
        except OSError as error:
            return f"{folder / name}: cannot be read ({error.strerror or error})"
        if wrong is not None:
            return f"{folder / name}: block {wrong:,} (from byte {wrong * BLOCK:,} on) is damaged"
    return None


def _recorded(folder: Path) -> dict[str, tuple[int, list[str]]]:
    """Size and digests of every file; InputError where the record itself is damaged."""
    record = read_json(folder / RECORD)
    try:
        content = {key: value for key, value in record.items() if key != "digest"}
        expected = (digest_json(content), _FORMAT, BLOCK)
        if (record["digest"], record["format"], record["block_bytes"]) != expected:
            raise ValueError
        return {
            name: (file["bytes"], [file["xxh3_64"][at : at + 16] for at in range(0, len(file["xxh3_64"]), 16)])
            for name, file in record["files"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{folder / RECORD}: damaged, or of another version of isoglot") from None


def _sample(count: int, total: int) -> list[int]:
    """Of the blocks of one file the first, the last, and its share of `SAMPLE`; others at every opening, so without a seed."""
    share = min(count, -(-SAMPLE * count // total))
    others = np.random.default_rng().choice(count, share, replace=False) if count else np.zeros(0, dtype=np.int64)
    return sorted({*others.tolist(), *([0, count - 1] if count else [])})


def _digests(path: Path, blocks: Iterable[int]) -> Iterator[tuple[int, str]]:
    """(block, XXH3 of it in 16 hex digits) of some blocks of a file."""
    import xxhash

    buffer = memoryview(bytearray(BLOCK))
    with path.open("rb", buffering=0) as source:
        for block in blocks:
            source.seek(block * BLOCK)
            filled = 0
            while read := source.readinto(buffer[filled:]):
                filled += read
            yield block, xxhash.xxh3_64_hexdigest(buffer[:filled])


def keep(folder: Path, what: str, make: Callable[[Path], None]) -> Path:
    """A folder of a cache: as it is where it is whole, otherwise made (again, which is said). One process makes it, others wait.

    Args:
        folder: takes its name when everything is in it.
        what: how messages call it.
        make: writes its files into the folder that it is given.

    Raises:
        InputError: the cache cannot be written.
    """
    if damage(folder) is None:
        tidy(folder, beside=True)
        return folder
    try:
        check_writable(folder.parent, directory=True)
    except InputError as error:
        raise InputError(f"{what} cannot be kept: {error}; set ISOGLOT_CACHE to a folder with room") from None
    with locked(folder, beside=True, waiting=f"{what} is being made"):
        if problem := damage(folder):  # otherwise made while this process waited
            if folder.exists():
                say(f"{problem}; {what} is made again")
            with atomic_directory(folder) as new:
                make(new)
                write_blocks(new)
    return folder


def claimed_map(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...], *, header: bool = True) -> npt.NDArray[Any]:
    """A new array on disk, mapped for writing, whose space is claimed first: a full disk is an OSError, not a SIGBUS.

    Args:
        header: write an .npy file; otherwise the bare numbers.
    """
    if header:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    else:
        array = np.memmap(path, dtype=dtype, mode="w+", shape=shape)
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS: what was written once has its place
            file.seek(size - array.nbytes)
            for at in range(0, array.nbytes, BLOCK):
                file.write(bytes(min(BLOCK, array.nbytes - at)))
    return array
