"""Write packed pairs (`isoglot.data.pairs.packed`): rows go by once, what must be compared is compared by hashes on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_digest, xxh3_128_digest

from isoglot.blocks import claimed_map, write_blocks
from isoglot.data.groups import first_rows, group_pairs
from isoglot.data.pairs.index import PairIndex
from isoglot.data.pairs.loading import duplicate_row, read_pairs, say_bitext
from isoglot.data.pairs.packed import FORMAT, RECORD, TEXTS, is_packed, open_texts
from isoglot.data.pairs.table import SCHEMA, any_documents, any_negatives, digested, digested_document
from isoglot.data.sameness import passage_key, text_key
from isoglot.disk import locked
from isoglot.errors import InputError, LineError
from isoglot.files import StringDigest, atomic_directory, write_json
from isoglot.records import IntArray, PairRow

_BATCH_ROWS = 65_536  # rows of a record batch: opening maps one after the other, 4,300 of them for 280 million rows
_CHUNK = 1 << 20
_SCRATCH = "scratch"
# of what is kept per row while the pairs are packed
_HASHES = ("pair_high", "pair_low", "query", "passage", "passage_id")


def pack_pairs(
    sources: Iterable[str | Path],
    output: str | Path,
    *,
    languages: Sequence[str] | None = None,
    data_dir: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Pack parallel pairs into a folder that opens without being read.

    The sources are read once, row by row. Beside texts and index, 56 bytes per row are needed on the disk meanwhile, and
    about 1 GB and 100 bytes per pair of memory. The folder appears when everything is in it and on the disk, and an older one is
    there until then; an interruption leaves nothing (what a process leaves that is killed outright, the next one removes).

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
    folder, specs = Path(output), [str(source) for source in sources]
    with locked(folder, beside=True):
        if folder.exists() and not (overwrite and is_packed(folder)):
            hint = "give --overwrite to replace it" if is_packed(folder) else "give a new folder"
            raise InputError(f"{folder}: exists already; {hint}")
        try:
            with atomic_directory(folder) as temporary:
                scratch = temporary / _SCRATCH
                scratch.mkdir()
                written = _write_rows(temporary, read_pairs(specs, languages, data_dir, unique=False))
                facts = _write_index(temporary, *written)
                shutil.rmtree(scratch)
                write_blocks(temporary)
        except _Duplicate as duplicate:
            raise _where(read_pairs(specs, languages, data_dir, unique=False), *duplicate.args) from None
    say_bitext(facts["bitext"])
    return facts


class _Duplicate(Exception):
    """Two rows, by number, are one pair in one language."""


def _where(rows: Iterator[tuple[PairRow, str, int]], first: int, again: int) -> LineError:
    """The error for two rows with the same (source, id, lang): their places are known once they are read again."""
    (_, *seen), (row, path, line) = islice(rows, first, again + 1, again - first)
    return duplicate_row(row.source, row.id, row.lang, f"{seen[0]}:{seen[1]}", path, line)


def _write_rows(folder: Path, rows: Iterator[tuple[PairRow, str, int]]) -> tuple[str, str, set[str]]:
    """Write texts.arrow, and the hashes of the rows as raw arrays into the scratch folder.

    Returns:
        Digests of rows and of documents, and the sources with a row whose query is not its passage.
    """
    from tqdm import tqdm

    digest, documents = StringDigest(), StringDigest()
    asking: set[str] = set()
    with ExitStack() as stack:
        sink = stack.enter_context(pa.OSFile(str(folder / TEXTS), "wb"))
        writer = stack.enter_context(pa.ipc.new_file(sink, SCHEMA))
        files = [stack.enter_context(open(folder / _SCRATCH / name, "wb")) for name in _HASHES]
        bar = stack.enter_context(tqdm(desc="read pairs", unit="row", unit_scale=True, disable=None))
        while batch := [row for row, _, _ in islice(rows, _BATCH_ROWS)]:
            columns = [pa.array([getattr(row, column.name) for row in batch], column.type) for column in SCHEMA]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
            for file, values in zip(files, _columns(batch)):
                file.write(values)
            digest.add(chain.from_iterable(map(digested, batch)))
            documents.add(chain.from_iterable(map(digested_document, batch)))
            asking.update(row.source for row in batch if row.query != row.passage)
            bar.update(len(batch))
    return digest.hex(), documents.hex(), asking


def _columns(batch: list[PairRow]) -> list[bytes]:
    """Hashes of the rows (XXH3), 8 bytes each, one column per name in `_HASHES`."""
    hashes = []
    for row in batch:
        query, passage = xxh3_64_digest(text_key(row.query)), xxh3_64_digest(passage_key(row.passage))
        pair = xxh3_128_digest(_joined(row.source, row.id))
        own = row.passage_id
        passage_id = bytes(8) if own is None else xxh3_64_digest(_joined(row.source, own))
        hashes.append((pair[:8], pair[8:], query, passage, passage_id))
    return [b"".join(column) for column in zip(*hashes)]


def _joined(first: str, second: str) -> bytes:
    """Two strings as one; ("a", "bc") and ("ab", "c") differ."""
    return f"{len(first)}:{first}{second}".encode("utf-8", "surrogatepass")


def _write_index(folder: Path, digest: str, documents: str, asking: set[str]) -> dict[str, Any]:
    """Write the arrays and the record from what `_write_rows` left."""
    from tqdm import tqdm

    def raw(name: str) -> Any:
        return np.memmap(folder / _SCRATCH / name, dtype="<u8", mode="r")

    texts = open_texts(folder)
    with tqdm(desc="index pairs", total=4, unit="pass", disable=None, delay=3) as bar:
        first = claimed_map(folder / _SCRATCH / "first", np.int64, (len(texts),), header=False)
        for rows, same in first_rows(raw("pair_high"), raw("pair_low")):
            first[rows] = same
        pair_of_row, n_pairs = _number_pairs(first, folder / _SCRATCH / "pair")
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
