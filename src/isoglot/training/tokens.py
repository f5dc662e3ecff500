"""Token ids of a pair table's texts: every text is tokenised once, and training only reads them.

A column of a table has a directory in isoglot's cache, named by a SHA-256 over the tokenizer, the prompt, the token limit, the
table's digest and the column. In it are segments of up to `SEGMENT` rows, each written whole and named by its digest, so that an
interrupted tokenisation goes on after the last segment, and a later run adds only the rows that no earlier run used. A
segment is one .npy file of int32 words that holds n row numbers (int64), n + 1 offsets (int64) and the token ids (int32).
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isoglot.bars import tqdm
from isoglot.batching.sampler import PlanDataset, RowBatch
from isoglot.data.pairs.lists import take_rows
from isoglot.errors import say
from isoglot.files import digest_json, load_array, save_array, write_json
from isoglot.models.templates import Ids, TextTokenizer
from isoglot.one_writer import locked, tidy
from isoglot.records import IntArray

SEGMENT = 16_384
"""Texts per file: what an interruption loses is at most the tokenisation of these."""
IN_MEMORY = 4096
"""A column of which a run needs no more texts than these is tokenised anew each time (about a second), not stored."""
_TEXTS_PER_CALL = 2048  # the tokenizer's own records take about 100 bytes per token while a call lasts
_KEEP_FREE = 1 << 30  # bytes of the disk that the cache leaves to others
_MOST_PLACES = np.iinfo(np.int32).max
_FORMAT = 1
_NAME = re.compile(r"rows-(\d{9})-[0-9a-f]{16}\.npy")

ReadTexts = Callable[[IntArray], "pa.Array[Any]"]


class TokenColumn:
    """Token ids of the rows of one column, read from arrays or memory maps. Takes up to 4 bytes of memory per row.

    Args:
        texts: reads texts by row number, 0 to `size` - 1.
        size: rows that the column has; those that were not added are missing.
        tokenizer, prompt: what makes ids of a text.
        show: a progress bar on stderr, once tokenising takes longer than a second.
    """

    def __init__(self, texts: ReadTexts, size: int, tokenizer: TextTokenizer, prompt: str, show: bool) -> None:
        self._texts, self._size, self._tokenizer, self._prompt, self._show = texts, size, tokenizer, prompt, show
        # 1 + segment number x SEGMENT + place in it; 0 is missing: pages that nobody writes to take no memory
        self._where = np.zeros(self._size, dtype=np.int32)
        self._offsets: list[IntArray] = []
        self._ids: list[Ids] = []
        self._loaded: set[Path] = set()

    def add(self, rows: IntArray, offsets: IntArray, ids: Ids) -> None:
        """Add at most `SEGMENT` rows: row `rows[i]` has `ids[offsets[i]:offsets[i + 1]]`.

        Raises:
            OSError: more segments than there are numbers for, about 131,000.
        """
        first = len(self._ids) * SEGMENT
        if first + len(rows) >= _MOST_PLACES:
            raise OSError(errno.EFBIG, "too many segments")
        self._where[rows] = np.arange(first + 1, first + 1 + len(rows))
        self._offsets.append(offsets)
        self._ids.append(ids)

    def missing(self, rows: IntArray) -> IntArray:
        """Those of `rows` that were not added."""
        absent: IntArray = rows[self._where[rows] == 0]
        return absent

    def take(self, rows: IntArray) -> tuple[Ids, IntArray]:
        """(ids of the rows one after the other, lengths of shape (n,)). KeyError: a row is missing."""
        places = self._where[rows] - 1
        if len(places) and int(places.min()) < 0:
            raise KeyError("rows that were not tokenised")
        pieces = [np.empty(0, dtype=np.int32)]
        for place in places.tolist():
            number, within = divmod(place, SEGMENT)
            offsets = self._offsets[number]
            pieces.append(self._ids[number][offsets[within] : offsets[within + 1]])
        return np.concatenate(pieces), np.array(list(map(len, pieces[1:])), dtype=np.int64)

    def tokenize(self, rows: IntArray, save: Callable[[IntArray, IntArray, Ids], None] | None = None) -> None:
        """Tokenise those of `rows` that are missing and add them, segment by segment.

        Args:
            save: called with what was added.
        """
        rows = self.missing(rows)
        bar: dict[str, Any] = {"desc": "tokenise", "unit": "text", "delay": 1.0, "dynamic_ncols": True}
        with tqdm(total=len(rows), disable=not self._show, **bar) as progress:
            for start in range(0, len(rows), SEGMENT):
                numbers = rows[start : start + SEGMENT]
                offsets, ids = _tokenize(self._texts(numbers), self._tokenizer, self._prompt, progress)
                self.add(numbers, offsets, ids)
                if save is not None:
                    save(numbers, offsets, ids)

    def read_or_store(self, root: Path, key: dict[str, Any], rows: IntArray) -> None:
        """Add at least `rows` from the store under `root`; what is missing is tokenised and stored.

        Processes that want the same column take turns. A segment that is damaged is deleted and its rows are tokenised again.

        Args:
            key: what the texts are: with the tokenizer's digest and the prompt it names the directory.

        Raises:
            InputError, OSError: the store cannot be written, or its disk has less than 1 GiB left.
        """
        key = {"format": _FORMAT, "tokenizer": self._tokenizer.digest, "prompt": self._prompt, **key}
        directory = root / digest_json(key)
        self._load(directory)
        if not len(self.missing(rows)):
            tidy(directory)
            return
        with locked(directory, waiting="these texts are being tokenised" if self._show else ""):
            self._load(directory, repair=True)  # another process may have written while this one waited
            write_json(directory / "about.json", key)
            self.tokenize(rows, partial(_write, directory))

    def _load(self, directory: Path, *, repair: bool = False) -> None:
        """Add the whole segments of a directory that were not added before; `repair`: delete the others."""
        for path in sorted({*directory.glob("rows-*.npy")} - self._loaded):
            if (segment := _read(path)) is not None:
                self.add(*segment)
                self._loaded.add(path)
            elif repair:
                say(f"{path}: damaged; its texts are tokenised again")
                path.unlink(missing_ok=True)


def _tokenize(texts: pa.Array[Any], tokenizer: TextTokenizer, prompt: str, bar: Any) -> tuple[IntArray, Ids]:
    """(offsets, ids) of texts; equal ones are tokenised once."""
    coded = texts.dictionary_encode()
    distinct: list[Any] = coded.dictionary.to_pylist()
    token_ids: list[list[int]] = []
    for start in range(0, len(distinct), _TEXTS_PER_CALL):
        chunk = distinct[start : start + _TEXTS_PER_CALL]
        token_ids += tokenizer.ids(chunk, prompt)
        bar.update(len(chunk))
    bar.update(len(texts) - len(distinct))
    lists: Any = pa.array(token_ids, pa.list_(pa.int32())).take(coded.indices)
    return np.asarray(lists.offsets, dtype=np.int64), np.asarray(lists.flatten())


def _write(directory: Path, rows: IntArray, offsets: IntArray, ids: Ids) -> None:
    words = np.concatenate([rows.astype("<i8").view("<i4"), offsets.astype("<i8").view("<i4"), ids.astype("<i4")])
    if shutil.disk_usage(directory).free < words.nbytes + _KEEP_FREE:
        raise OSError(errno.ENOSPC, "less than 1 GiB of the disk is free")
    save_array(directory, f"rows-{len(rows):09d}", words)


def _read(path: Path) -> tuple[IntArray, IntArray, Ids] | None:
    """(rows, offsets, ids), memory-mapped; None where the file is damaged or is none of ours."""
    match = _NAME.fullmatch(path.name)
    mapped = load_array(path) if match else None
    if match is None or mapped is None:
        return None
    words = mapped.view(np.ndarray)  # a plain array over the map: numpy.memmap costs ten times as much per slice
    n = int(match[1])
    rows, offsets = words[: 2 * n].view("<i8"), words[2 * n : 4 * n + 2].view("<i8")
    return rows, offsets, words[4 * n + 2 :]


class StepTokens:
    """Token ids of all rows that a dataset of training steps uses.

    Args:
        steps: the dataset.
        tokenizer: for all columns.
        prompts: for "query", "passage" and "negative".
        root: of the store.
        show: a progress bar on stderr.

    Raises:
        InputError, OSError: the store cannot be written.
    """

    def __init__(
        self, steps: PlanDataset, tokenizer: TextTokenizer, prompts: Mapping[str, str], root: Path, show: bool
    ) -> None:
        table, pool = steps.table, steps.pool
        query_rows, passage_rows = steps.used_rows()

        columns: dict[str, tuple[ReadTexts, int, IntArray, Mapping[str, Any]]] = {
            name: (partial(take_rows, table.table.column(name)), len(table), rows, {})
            for name, rows in (("query", query_rows), ("passage", passage_rows))
        }
        if pool is not None:
            columns["negative"] = (pool.texts, pool.size, steps.candidates(passage_rows), pool.key)
        self._columns: dict[str, TokenColumn] = {}
        for name, (texts, size, rows, key) in columns.items():
            self._columns[name] = TokenColumn(texts, size, tokenizer, prompts[name], show)
            if len(rows) > IN_MEMORY:
                self._columns[name].read_or_store(root, {"table": table.digest, "column": name, **key}, rows)
            else:
                self._columns[name].tokenize(rows)

    def take(self, batch: RowBatch) -> dict[str, tuple[Ids, IntArray]]:
        """(token ids, lengths) of the columns of a step of the dataset."""
        rows = {"query": batch.batch.query_rows, "passage": batch.batch.passage_rows}
        if len(batch.negative_numbers):
            rows["negative"] = batch.negative_numbers
        return {name: self._columns[name].take(numbers) for name, numbers in rows.items()}
