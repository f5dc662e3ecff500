"""Write packed pairs (`isoglot.data.pairs.packed`): rows go by once (`isoglot.data.pairs.parts`), what must be compared is
compared by hashes on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from isoglot.blocks import claimed_map, write_blocks
from isoglot.data.groups import first_rows, group_pairs
from isoglot.data.pairs.index import PairIndex
from isoglot.data.pairs.journal import JOURNAL, SCRATCH, TABLE, is_begun
from isoglot.data.pairs.loading import duplicate_row, read_pairs, say_bitext
from isoglot.data.pairs.packed import FORMAT, RECORD, TEXTS, is_packed, open_texts
from isoglot.data.pairs.parts import check_place, write_rows
from isoglot.data.pairs.source import each_once
from isoglot.data.pairs.table import any_documents, any_negatives
from isoglot.disk import UnwritableError, writing
from isoglot.errors import InputError, LineError, say
from isoglot.files import place_directory, write_json
from isoglot.one_writer import locked
from isoglot.records import IntArray, PairRow, several

_CHUNK = 1 << 20
UNFINISHED = ".unfinished"
"""Behind the name of a folder: what there is of it before it is whole."""


def pack_pairs(
    sources: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    languages: str | Sequence[str] | None = None,
    data_dir: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Pack parallel pairs into a folder that opens without being read.

    The sources are read once, row by row. Beside texts and index, 56 bytes per row are needed on the disk meanwhile, and
    about 1 GB and 100 bytes per pair of memory. The folder appears when everything is in it and on the disk, and an older one is
    there until then. What an interruption leaves lies beside it (`NAME.unfinished`): the same call goes on from there, on
    the same files. After an error in a line, or on a disk that takes no more, nothing is left.

    Args:
        sources: as for `isoglot.data.pairs.table.load_pairs`.
        output: the folder.
        languages: keep these only.
        data_dir: where named LAReQA folders are looked for first.
        overwrite: replace packed pairs that are there.

    Returns:
        What `pairs.json` says.

    Raises:
        InputError: what `load_pairs` raises; something is at `output` already; another process packs there; no room on the disk.
    """
    folder, specs, wanted = Path(output), each_once(several(sources)), None if languages is None else several(languages)
    begun = folder.with_name(f"{folder.name}{UNFINISHED}")
    with locked(folder, beside=True):
        check_place(begun)
        if folder.exists() and not (overwrite and is_packed(folder)):
            hint = "give --overwrite to replace it" if is_packed(folder) else "give a new folder"
            raise InputError(f"{folder}: exists already; {hint}")
        try:
            with writing(folder):
                facts = _pack(begun, folder, specs, wanted, data_dir)
        except _Duplicate as duplicate:
            shutil.rmtree(begun, ignore_errors=True)
            raise _where(read_pairs(specs, wanted, data_dir, unique=False), *duplicate.args) from None
        except BaseException as error:
            if isinstance(error, (LineError, UnwritableError)) or not is_begun(begun):
                shutil.rmtree(begun, ignore_errors=True)
            else:
                say(f"what was read is kept in {begun}; the same command goes on from there (or delete it)")
            raise
    say_bitext(facts["bitext"])
    return facts


def _pack(
    begun: Path, folder: Path, specs: Sequence[str], languages: Sequence[str] | None, data_dir: Path | None
) -> dict[str, Any]:
    """Pack into `begun` and move that to `folder`; what `pairs.json` says."""
    written = write_rows(begun, specs, languages, data_dir)
    for path in (begun / TABLE).iterdir():  # an earlier start may have left some of what follows, and temporary files
        if path.name != TEXTS:
            path.unlink()
    facts = _write_index(begun / TABLE, begun / SCRATCH, *written)
    write_blocks(begun / TABLE)
    with place_directory(begun / TABLE, folder):
        (begun / JOURNAL).unlink()  # `begun` may hold the older pairs from here on
    shutil.rmtree(begun)
    return facts


class _Duplicate(Exception):
    """Two rows, by number, are one pair in one language."""


def _where(rows: Iterator[tuple[PairRow, str, int]], first: int, again: int) -> LineError:
    """The error for two rows with the same (source, id, lang): their places are known once they are read again."""
    (_, *seen), (row, path, line) = islice(rows, first, again + 1, again - first)
    return duplicate_row(row.source, row.id, row.lang, f"{seen[0]}:{seen[1]}", path, line)


def _write_index(folder: Path, scratch: Path, digest: str, documents: str, asking: set[str]) -> dict[str, Any]:
    """Write the arrays and the record from what `write_rows` left."""
    from isoglot.bars import tqdm

    def raw(name: str) -> Any:
        return np.memmap(scratch / name, dtype="<u8", mode="r")

    texts = open_texts(folder)
    with tqdm(desc="index pairs", total=4, unit="pass", disable=None, delay=3) as bar:
        first = claimed_map(scratch / "first", np.int64, (len(texts),), header=False)
        for rows, same in first_rows(raw("pair_high"), raw("pair_low")):
            first[rows] = same
        pair_of_row, n_pairs = _number_pairs(first, scratch / "pair")
        bar.update()
        index = _place_rows(folder, texts, pair_of_row, n_pairs)
        bar.update()
        group = group_pairs(pair_of_row, n_pairs, [raw(name) for name in ("query", "passage", "passage_id")])
        np.save(folder / "group.npy", group.astype(_smallest(n_pairs)))
        bar.update()
        rest = {"rows": len(texts), "negatives": any_negatives(texts), "digest": digest}
        rest["documents"] = documents if any_documents(texts) else None
        bitext = tuple(name for name in index.sources if name not in asking)
        facts = write_record(folder, replace(index, group=group, bitext=bitext), rest)
        bar.update()
    return facts


def _number_pairs(first: IntArray, path: Path) -> tuple[IntArray, int]:
    """(number of each row's pair, pairs): pairs are numbered in the order of their first rows. Kept at `path`."""
    pair = claimed_map(path, np.int64, first.shape, header=False)
    count = 0
    for start in range(0, len(first), _CHUNK):
        own = np.asarray(first[start : start + _CHUNK])
        new = own == np.arange(start, start + len(own))
        pair[start : start + _CHUNK][new] = np.arange(count, count + int(new.sum()))
        count += int(new.sum())
        pair[start : start + _CHUNK] = pair[own]  # a pair's first row is never behind
    return pair, count


def _place_rows(folder: Path, texts: Any, pair_of_row: IntArray, n_pairs: int) -> PairIndex:
    """Write rows.npy and source.npy; the index without groups. _Duplicate where two rows are one pair in one language."""
    languages, sources = (sorted(texts.column(name).unique().to_pylist()) for name in ("lang", "source"))
    table = claimed_map(folder / "rows.npy", _smallest(len(texts)), (n_pairs, len(languages)))
    table[:] = -1
    source = claimed_map(folder / "source.npy", _smallest(len(sources)), (n_pairs,))
    for start in range(0, len(texts), _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, len(texts)))
        chunk = texts.slice(start, _CHUNK)
        langs, source_of_row = (
            pc.index_in(chunk.column(name), value_set=pa.array(known)).to_numpy()
            for name, known in (("lang", languages), ("source", sources))
        )
        pairs = np.asarray(pair_of_row[numbers])
        free = np.flatnonzero(table[pairs, langs] < 0)[::-1]  # backwards: of two rows for one cell, the first one stays
        table[pairs[free], langs[free]] = numbers[free]
        wrong = table[pairs, langs] != numbers
        if wrong.any():
            again = int(numbers[wrong.argmax()])
            raise _Duplicate(int(table[pairs[again - start], langs[again - start]]), again)
        source[pairs] = source_of_row
    no_group = np.zeros(0, dtype=np.int64)
    return PairIndex(languages=tuple(languages), sources=tuple(sources), rows=table, source=source, group=no_group)


def write_record(folder: Path, index: PairIndex, rest: dict[str, Any]) -> dict[str, Any]:
    """Sort the strata into order.npy and write pairs.json.

    Args:
        index: what rows.npy, source.npy and group.npy hold.
        rest: "rows" (number), "negatives" (are there any), "digest" (of the rows), "documents" (their digest, or None).
    """
    total = int(index.counts.sum())
    order = claimed_map(folder / "order.npy", _smallest(index.n_pairs), (total,))
    strata: list[list[dict[str, Any]]] = []
    start = 0
    for source in range(len(index.sources)):
        strata.append([])
        for lang in (*index.languages, None):
            deal = index.deal_order(source, lang)
            order[start : start + len(deal.pairs)] = deal.pairs
            sizes, counts = deal.class_sizes.tolist(), deal.class_counts.tolist()
            strata[-1].append({"start": start, "class_sizes": sizes, "class_counts": counts})
            start += len(deal.pairs)
    for mapped in (order, index.rows, index.source):
        if isinstance(mapped, np.memmap):
            mapped.flush()
    facts = {
        "format": FORMAT,
        "pairs": index.n_pairs,
        **rest,
        "languages": list(index.languages),
        "sources": list(index.sources),
        "bitext": list(index.bitext),
        "groups": index.n_groups,
        "group_digest": index.group_digest,
        "counts": index.counts.tolist(),
        "strata": strata,
    }
    write_json(folder / RECORD, facts)
    return facts


def _smallest(n: int) -> npt.DTypeLike:
    """int32 where it holds numbers below n."""
    return np.int32 if n <= np.iinfo(np.int32).max else np.int64
