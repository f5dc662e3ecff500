"""Mined negatives from pairs on the disk into a file, in bounded memory; a run that is killed goes on where it was.

Beside the output lies `NAME.unfinished` meanwhile:

- `job.json`: what decides the output; a folder of another job is removed;
- `pairs/`: the pairs, packed (`isoglot.data.pairs.packing`), unless packed pairs were given;
- `vectors/`: the store of embeddings, unless one was named;
- `blocks/`: what was found for each block of queries, each named after its digest;
- `written.json`: which file is the output, once it is complete.

The file is written from these at the end, in the order of the pairs: the same bytes, however often a run was interrupted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.bars import tqdm
from isoglot.blocks import claimed_map
from isoglot.data.pairs.journal import job_of
from isoglot.data.pairs.packed import is_packed, open_packed
from isoglot.data.pairs.packing import UNFINISHED, pack_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.pairs.writing import dump_pairs
from isoglot.disk import check_kind, make_directory, sweep, writing
from isoglot.errors import InputError, say
from isoglot.files import atomic_path, load_array, read_json, save_array, write_json
from isoglot.one_writer import locked
from isoglot.records import IntArray
from isoglot.retrieval.encode import prompt_of
from isoglot.retrieval.mine import Mine, Search, check_languages
from isoglot.retrieval.store import EmbeddingStore

_JOB, _PAIRS, _VECTORS, _BLOCKS, _WRITTEN = "job.json", "pairs", "vectors", "blocks", "written.json"


def mine_file(
    sources: Sequence[str],
    output: Path,
    asked: Mine,
    *,
    languages: Sequence[str] | None = None,
    data_dir: Path | None = None,
    store: Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Write the pairs with mined negatives as JSON lines. The same call goes on where an interrupted one was.

    In memory are the index of the pairs (about 100 bytes per row), a block of queries and a chunk of passages.

    Args:
        sources, languages, data_dir: as for `isoglot.load_pairs`.
        output: the file.
        overwrite: replace a file that is there.
        store: folder that keeps the vectors for another time; None: they are removed in the end.

    Returns:
        "path", "rows", "without" (rows without any negative), "mean" (negatives per row).

    Raises:
        InputError: what `load_pairs` and `isoglot.retrieval.mine.mine` raise; something is at `output` already; another process
            mines into this file.
    """
    work = output.with_name(f"{output.name}{UNFINISHED}")
    with locked(output.with_name(f"{output.name}.mine"), beside=True):
        _tidy(work, output)
        if output.exists() and not overwrite:
            raise InputError(f"{output}: exists already; give --overwrite to replace it")
        try:
            with writing(output):
                _begin(work, _job(sources, languages, data_dir, asked))
                table = _open(work, sources, languages, data_dir)
                facts = _mine(work, table, asked, output, EmbeddingStore(store or work / _VECTORS), progress)
        except BaseException as error:
            found = [
                f"{_BLOCKS}/*.npy",
                f"{_VECTORS}/*/*.npy",
                *([] if isinstance(error, InputError) else [f"{_PAIRS}*"]),
            ]
            if any(path for pattern in found for path in work.glob(pattern)):
                say(f"what was found is kept in {work}; the same command goes on from there (or delete it)")
            elif (work / _JOB).is_file():
                shutil.rmtree(work, ignore_errors=True)  # where that cannot be, the error says why
            raise
        _remove(work)
    return facts


def _job(sources: Sequence[str], languages: Sequence[str] | None, data_dir: Path | None, asked: Mine) -> dict[str, Any]:
    """What decides the output."""
    from isoglot.models.content import content_of

    settings = {key: value for key, value in asked.model_dump().items() if key != "device"}
    return {"pairs": job_of(sources, languages, data_dir), "settings": settings, "model": content_of(asked.model)}


def _tidy(work: Path, output: Path) -> None:
    """Remove what an earlier start left whose output became complete."""
    if output.exists() and _noted(work / _WRITTEN) == _identity(output):
        _remove(work)


def _noted(path: Path) -> Any:
    """What a file of the folder says; None where it is missing or damaged."""
    try:
        return read_json(path) if path.is_file() else None
    except InputError:
        return None


def _remove(work: Path) -> None:
    """Remove what is no longer needed, at last the note that says so."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _WRITTEN:
            path.unlink()
    shutil.rmtree(work)


def _identity(path: Path) -> list[int]:
    """What stays of a file when it is renamed."""
    facts = path.stat()
    return [facts.st_ino, facts.st_size, facts.st_mtime_ns]


def _begin(work: Path, job: dict[str, Any]) -> None:
    """The folder of a job: as it is where it was begun, otherwise empty."""
    check_kind(work, directory=True)
    if work.is_dir():
        sweep(work)
        if not (work / _JOB).is_file() and any(work.iterdir()):
            raise InputError(f"{work}: is in the way (an unfinished search has this name); give it another name")
        if _noted(work / _JOB) == job:
            say(f"{work}: going on where an earlier start was")
            return
        if (work / _JOB).is_file():
            say(f"{work}: was begun with another model, pairs or options, or files have changed since; starting anew")
        shutil.rmtree(work)
    make_directory(work)
    write_json(work / _JOB, job)


def _open(work: Path, sources: Sequence[str], languages: Sequence[str] | None, data_dir: Path | None) -> PairTable:
    """The pairs, memory-mapped."""
    if len(sources) == 1 and languages is None and is_packed(sources[0]):
        return open_packed(Path(sources[0]))
    packed = work / _PAIRS
    if packed.exists():
        try:
            return open_packed(packed)
        except InputError as error:
            say(f"{error}; that is done now")
            shutil.rmtree(packed)
    pack_pairs(sources, packed, languages=languages, data_dir=data_dir)
    return open_packed(packed)


def _mine(
    work: Path, table: PairTable, asked: Mine, output: Path, store: EmbeddingStore, progress: bool
) -> dict[str, Any]:
    from isoglot.models.load import load_model

    check_languages(table, asked)
    model, digest = load_model(asked.model, device=asked.device), str(read_json(work / _JOB)["model"])
    queries, passages = (
        store.encode(
            model,
            digest,
            prompt_of(model, kind),
            _Texts(table, kind),
            kind,
            progress=progress,
            languages=_Texts(table, "lang"),
        )
        for kind in ("query", "passage")
    )
    found = _search(work, Search.of(table, queries, passages), asked, len(table), progress)
    counts = np.zeros(len(table), dtype=np.int64)

    def negatives(row: int) -> list[str]:
        numbers = found[row].astype(np.int64)
        numbers = numbers[numbers >= 0]
        counts[row] = len(numbers)
        texts: list[str] = table.column("passage", numbers)
        return texts

    with atomic_path(output) as temporary:
        dump_pairs(table, temporary, output, negatives=negatives)
        write_json(work / _WRITTEN, _identity(temporary))
    without, mean = int((counts == 0).sum()), round(float(counts.mean()), 4)
    return {"path": str(output), "rows": len(counts), "without": without, "mean": mean}


def _search(work: Path, search: Search, asked: Mine, n: int, progress: bool) -> IntArray:
    """The rows of every row's negatives, then -1, shape (n, asked.number), on the disk. What is there is not searched for."""
    folder = work / _BLOCKS
    make_directory(folder)
    found = claimed_map(work / "found", np.int64, (n, asked.number), header=False)
    with tqdm(total=n, desc="search", unit="query", disable=not progress) as bar:
        for number, block in enumerate(search.blocks(asked)):
            stem = f"{number:08d}"
            there = (load_array(path) for path in folder.glob(f"{stem}-*.npy"))
            numbers = next((array for array in there if array is not None), None)
            if numbers is None or numbers.shape != (len(block.rows), asked.number):
                numbers = search.negatives(block, asked)
                save_array(folder, stem, numbers)
            found[block.rows] = numbers
            bar.update(len(block.rows))
    return found


class _Texts:
    """The queries or passages of a table, or their languages, read anew every time that they are gone through."""

    def __init__(self, table: PairTable, side: str) -> None:
        self._chunks = table.table.column(side).chunks

    def __iter__(self) -> Iterator[str]:
        for chunk in self._chunks:
            yield from (str(text) for text in chunk.to_pylist())  # none of them is null
