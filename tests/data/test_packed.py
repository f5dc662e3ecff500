"""Packed pairs: what memory holds of the same rows, and what is refused."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.cli.main import main
from isoglot.data.groups import first_rows, group_pairs
from isoglot.data.pairs import packing, parts
from isoglot.data.pairs.check import check_pairs
from isoglot.data.pairs.index import build_index
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packed import PackedTable, open_packed
from isoglot.data.pairs.packing import pack_pairs
from isoglot.data.pairs.sources import files as file_source
from isoglot.data.pairs.sources.files import parse_row
from isoglot.data.pairs.table import SCHEMA, PairTable
from isoglot.errors import InputError
from isoglot.records import PairRow

LANGUAGES = ("ar", "de", "en", "zh")


def make_rows(n: int = 150) -> list[PairRow]:
    """Three sources, rows of a pair far apart, missing languages, shared passages and queries, negatives, whole groups."""
    random = np.random.default_rng(0)
    rows = []
    for lang in LANGUAGES:
        for number in range(n):
            source = ("b", "a", "c")[number % 3]
            if random.random() < 0.2 or (source == "c" and lang != "en"):
                continue
            shared = f"passage {number // 4} {lang}" if number % 8 < 4 else f"passage {number} {lang}"
            query = f"query {number - number % 7 if number % 50 == 0 else number} {lang}"
            key = f"id{number % 11}" if number % 5 == 0 else None
            negatives = (f"wrong {number} {lang}", "no") if number % 9 == 0 else ()
            rows.append(PairRow(source, f"p{number}", lang, query, shared, key, negatives))
    return rows


def write(path: Path, rows: list[PairRow]) -> Path:
    path.write_text("".join(json.dumps(vars(row)) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many record batches and chunks, as a large table has."""
    monkeypatch.setattr(parts, "_BATCH_ROWS", 64)
    monkeypatch.setattr(packing, "_CHUNK", 50)
    monkeypatch.setattr("isoglot.data.pairs.index._CHUNK", 37)


@pytest.fixture
def both(tmp_path: Path, small_parts: None) -> tuple[PairTable, PackedTable]:
    """One table in memory and packed, from two files."""
    rows = make_rows()
    files = [write(tmp_path / "one.jsonl", rows[:200]), write(tmp_path / "two.jsonl", rows[200:])]
    pack_pairs(files, tmp_path / "packed")
    packed = load_pairs(tmp_path / "packed")
    assert isinstance(packed, PackedTable)
    return load_pairs(files), packed


def test_the_same_index_digest_and_cells(both: tuple[PairTable, PackedTable]) -> None:
    memory, packed = both
    for name in ("rows", "source", "group", "counts"):
        assert np.array_equal(getattr(memory.index, name), getattr(packed.index, name)), name
    assert packed.index.rows.dtype == np.int32
    assert (memory.languages, memory.index.sources) == (packed.languages, packed.index.sources)
    assert memory.index.n_groups == packed.index.n_groups < memory.index.n_pairs
    assert memory.index.group_digest == packed.index.group_digest
    assert memory.digest == packed.digest
    assert memory.has_negatives
    assert packed.has_negatives
    assert packed.table.column("id").num_chunks > 3
    rows = np.random.default_rng(1).permutation(len(memory))
    for name in SCHEMA.names:
        assert memory.column(name, rows) == packed.column(name, rows)
    assert packed.column("id", rows[:0]) == []


def test_the_order_of_every_stratum_was_stored(both: tuple[PairTable, PackedTable]) -> None:
    memory, packed = both
    for source in range(3):
        for lang in (*LANGUAGES, None):
            one, two = memory.index.deal_order(source, lang), packed.index.deal_order(source, lang)
            assert isinstance(two.pairs, np.ndarray)
            assert np.array_equal(one.pairs, two.pairs)
            assert np.array_equal(one.class_sizes, two.class_sizes)
            assert np.array_equal(one.class_counts, two.class_counts)


@pytest.mark.parametrize("strategy", ["mono", "cross", "hybrid"])
def test_the_same_batches(both: tuple[PairTable, PackedTable], strategy: Any) -> None:
    asked = PlanSettings(strategy=strategy, batch_size=6, seed=3, source_temperature=2.0)
    one, two = (BatchPlan(table.index, asked) for table in both)
    assert one.strata == two.strata
    for step in (*range(80), 5000, 79, 3):
        for field in ("query_rows", "passage_rows"):
            first, second = getattr(one[step], field), getattr(two[step], field)
            assert first.dtype == second.dtype == np.int64
            assert first.tobytes() == second.tobytes()
        assert np.array_equal(one[step].queries.pairs, two[step].queries.pairs)


def test_splits_are_those_of_the_table_in_memory(both: tuple[PairTable, PackedTable]) -> None:
    for one, two in zip(*(table.split(0.3, seed=1) for table in both)):
        assert one.digest == two.digest
        assert np.array_equal(one.index.group, two.index.group)
    assert both[1].split(0.3, seed=1)[0].table.schema == SCHEMA


def test_a_split_of_too_many_rows_is_refused(
    both: tuple[PairTable, PackedTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isoglot.data.pairs.packed._MOST_ROWS_IN_MEMORY", 10)
    with pytest.raises(InputError, match="validation pairs in a file of their own"):
        both[1].split(0.3, seed=1)


def test_opening_reads_no_index_of_another_kind(
    both: tuple[PairTable, PackedTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan over packed pairs neither looks for members nor sorts: that takes seconds where pairs are many."""

    def fail(*_: Any) -> None:
        raise AssertionError("computed what was stored")

    monkeypatch.setattr("isoglot.data.pairs.index.PairIndex.members", fail)
    monkeypatch.setattr("isoglot.data.pairs.index.deal_order", fail)
    monkeypatch.setattr("isoglot.data.pairs.table.build_index", fail)
    table = load_pairs(both[1].path)
    assert len(BatchPlan(table.index, PlanSettings(batch_size=6))[4]) == 6
    mapped = [table.index.rows, table.index.group, table.index.order]  # type: ignore[attr-defined]
    assert all(isinstance(array.base, np.memmap) for array in mapped)


def test_packed_pairs_are_a_source_like_a_file(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", make_rows(60))
    two = write(tmp_path / "two.jsonl", [PairRow("other", "1", "en", "q", "p")])
    pack_pairs([one], tmp_path / "packed")
    stacked = load_pairs([tmp_path / "packed", two])
    assert stacked.digest == load_pairs([one, two]).digest
    english = load_pairs(tmp_path / "packed", languages=["en"])
    assert english.digest == load_pairs(one, languages=["en"]).digest
    pack_pairs(tmp_path / "packed", tmp_path / "english", languages="en")
    assert load_pairs(tmp_path / "english").digest == english.digest
    counted = check_pairs([str(tmp_path / "packed")])
    assert counted.sources == check_pairs([str(one)]).sources
    assert not counted.problems


@pytest.mark.parametrize("bucket", [1, 7, 100, 10_000])
def test_first_rows_and_groups_do_not_depend_on_the_bucket(bucket: int) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 2**64, 90, dtype=np.uint64)
    values[0] = 0  # no key
    hashes = values[random.integers(0, 90, 400)]
    low = random.integers(0, 3, 400).astype(np.uint64)
    for second in (None, low):
        keys = list(zip(hashes.tolist(), [0] * 400 if second is None else second.tolist()))
        expected = {row: keys.index(key) for row, key in enumerate(keys) if key[0]}
        found = {}
        for rows, first in first_rows(hashes, second, bucket):
            found.update(zip(rows.tolist(), first.tolist()))
        assert found == expected
    pairs = np.arange(400) // 2
    groups = group_pairs(pairs, 200, [hashes], bucket)
    assert np.array_equal(groups, group_pairs(pairs, 200, [hashes]))
    assert all(groups[a // 2] == groups[b // 2] for a, b in expected_edges(hashes))
    # numbered by first pair
    assert [int(label) for n, label in enumerate(groups) if label not in groups[:n]] == list(range(groups.max() + 1))


def expected_edges(hashes: np.ndarray) -> Iterator[tuple[int, int]]:
    first: dict[int, int] = {}
    for row, value in enumerate(hashes.tolist()):
        if value:
            yield first.setdefault(value, row), row


def test_a_duplicate_row_names_both_places(tmp_path: Path, small_parts: None) -> None:
    rows = make_rows()
    one = write(tmp_path / "one.jsonl", rows)
    # within one chunk of rows, and far apart
    for again in (rows[-2], rows[3]):
        two = write(tmp_path / "two.jsonl", [replace(rows[0], id="new"), replace(again, query="else"), rows[9]])
        place = rows.index(again) + 1
        with pytest.raises(InputError) as packed:
            pack_pairs([one, two], tmp_path / "packed")
        with pytest.raises(InputError) as memory:
            load_pairs([one, two])
        assert str(packed.value) == str(memory.value)
        assert f"two.jsonl:2: duplicate row: id '{again.id}'" in str(packed.value)
        assert str(packed.value).endswith(f"one.jsonl:{place}")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jsonl", "two.jsonl"]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Cut(BaseException):
    """In the place of SIGKILL, which leaves what is on the disk as it is."""


def cut(monkeypatch: pytest.MonkeyPatch, where: str, after: int) -> None:
    """Stop the pack at the call of a function after so many others."""
    module = parts if hasattr(parts, where) else packing
    original, calls = getattr(module, where), iter(range(10_000))

    def stop(*args: Any, **given: Any) -> Any:
        if next(calls) >= after:
            raise Cut
        return original(*args, **given)

    monkeypatch.setattr(module, where, stop)


@pytest.mark.parametrize(
    ("where", "after"),
    [("_columns", 0), ("_columns", 1), ("_columns", 4), ("finish", 0), ("_place_rows", 0), ("write_json", 0),
     ("write_blocks", 0), ("place_directory", 0)],
)  # fmt: skip
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".parquet", ".csv"])
def test_an_interrupted_pack_goes_on(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch, where: str, after: int, ending: str
) -> None:
    rows = make_rows()
    files = [write_as(tmp_path / f"{name}{ending}", part) for name, part in (("one", rows[:300]), ("two", rows[300:]))]
    pack_pairs(files, tmp_path / "whole")
    pack_pairs(files[:1], tmp_path / "packed")
    older = content(tmp_path / "packed")
    for target in ("packed", "new"):
        with monkeypatch.context() as patch:
            cut(patch, where, after)
            with pytest.raises(Cut):
                pack_pairs(files, tmp_path / target, overwrite=True)
        assert content(tmp_path / "packed") == older, "the older one stays"
        assert (tmp_path / f"{target}.unfinished").exists() == (where != "_columns" or after > 0)
        with monkeypatch.context() as patch:
            read = count_reads(patch)
            pack_pairs(files, tmp_path / target, overwrite=True)
        done = after * 64 if where == "_columns" else len(rows)
        assert sum(read.values()) == len(rows) - done, "no row that is there is made again"
        if ending in (".jsonl", ".jsonl.gz") and done >= 300:
            assert files[0].name not in read
        assert content(tmp_path / target) == content(tmp_path / "whole")
        assert not (tmp_path / f"{target}.unfinished").exists()
        older = content(tmp_path / "packed")


def write_as(path: Path, rows: list[PairRow]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([vars(row) for row in rows], SCHEMA), path, row_group_size=50)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as sink:
            writer = csv.DictWriter(sink, [*vars(rows[0])])
            writer.writeheader()
            writer.writerows({**vars(row), "negatives": json.dumps(row.negatives)} for row in rows)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(b"".join(json.dumps(vars(row)).encode() + b"\n" for row in rows)))
    else:
        write(path, rows)
    return path


def count_reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the rows that are parsed, by file."""
    read: Counter[str] = Counter()

    def counted(fields: Any, stem: str, path: str, line: int) -> PairRow:
        read[Path(path).name] += 1
        return parse_row(fields, stem, path, line)

    monkeypatch.setattr(file_source, "parse_row", counted)
    return read


def test_a_killed_pack_reads_its_first_half_no_more(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second start seeks behind what is there: not one byte before it is read."""
    source = write(tmp_path / "one.jsonl", make_rows())
    with monkeypatch.context() as patch:
        cut(patch, "_columns", 3)
        with pytest.raises(Cut):
            pack_pairs([source], tmp_path / "packed")
    line = json.loads((tmp_path / "packed.unfinished/scratch/journal.jsonl").read_text().splitlines()[-1])
    data = bytearray(source.read_bytes())
    byte = line["reading"]["place"]["mark"]["byte"]
    assert data[:byte].count(b"\n") == 3 * 64
    stat = source.stat()
    source.write_bytes(bytes(byte) + data[byte:])  # what is before could not be parsed
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    pack_pairs([source], tmp_path / "packed")
    source.write_bytes(data)
    assert load_pairs(tmp_path / "packed").digest == load_pairs(source).digest


def test_other_pairs_and_damage_are_noticed(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, begun = write(tmp_path / "one.jsonl", make_rows()), tmp_path / "packed.unfinished"
    pack_pairs([source], tmp_path / "whole")

    def begin() -> None:
        with monkeypatch.context() as patch:
            cut(patch, "_columns", 4)
            with pytest.raises(Cut):
                pack_pairs([source], tmp_path / "packed")
        capsys.readouterr()

    def spoil(path: Path, at: int) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    changes: list[tuple[Any, str]] = [
        (lambda: os.utime(source, ns=(1, 1)), "files have changed since; packing anew"),
        (lambda: spoil(begun / "table/texts.arrow", 2000), "damaged behind row 0"),
        (lambda: spoil(begun / "scratch/query", 8 * 150), "damaged behind row 128"),
        (lambda: spoil(begun / "scratch/journal.jsonl", 0), "journal.jsonl: damaged; packing anew"),
        ((begun / "scratch/pair_low").unlink, ""),
        (lambda: (begun / "table/texts.arrow").write_bytes(b""), "damaged behind row 0"),
        (lambda: append(begun / "scratch/journal.jsonl", b'{"rows": 9'), "256 rows are there; going on behind them"),
        (lambda: append(begun / "table/texts.arrow", b"half a batch"), "256 rows are there; going on behind them"),
    ]
    for change, message in changes:
        begin()
        change()
        pack_pairs([source], tmp_path / "packed")
        assert message in capsys.readouterr().err
        assert content(tmp_path / "packed") == content(tmp_path / "whole")
        shutil.rmtree(tmp_path / "packed")
    begin()
    pack_pairs([source], tmp_path / "packed", languages=["en"])
    assert "packing anew" in capsys.readouterr().err
    assert load_pairs(tmp_path / "packed").languages == ("en",)


def test_what_else_has_the_name_of_an_unfinished_pack_stays(tmp_path: Path) -> None:
    source, begun = write(tmp_path / "one.jsonl", make_rows(20)), tmp_path / "packed.unfinished"
    begun.mkdir()
    (begun / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"packed\.unfinished: is in the way"):
        pack_pairs([source], tmp_path / "packed")
    (begun / "mine.txt").unlink()
    (begun / "table").mkdir()  # of a pack that was killed when it had taken its name
    pack_pairs([source], tmp_path / "packed")
    assert not begun.exists()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as sink:
        sink.write(data)


def test_a_source_that_cannot_begin_in_its_middle_goes_on_too(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_pairs(["facts:de,en"], tmp_path / "whole")
    pack_pairs([tmp_path / "whole", "facts:hi"], tmp_path / "again")
    for sources, expected in ((["facts:de,en"], "whole"), ([tmp_path / "whole", "facts:hi"], "again")):
        with monkeypatch.context() as patch:
            cut(patch, "_columns", 5)
            with pytest.raises(Cut):
                pack_pairs(sources, tmp_path / "packed")
        pack_pairs(sources, tmp_path / "packed")
        assert content(tmp_path / "packed") == content(tmp_path / expected)
        shutil.rmtree(tmp_path / "packed")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.sampled_from(LANGUAGES), st.text("xyz ", max_size=3),
                  st.text("xyz\u200b", max_size=2), st.sampled_from(["", "k", "l"])),
        min_size=1, max_size=60, unique_by=lambda row: row[:3],
    )
)  # fmt: skip
def test_any_small_table_has_the_index_of_build_index(rows: list[tuple[Any, ...]]) -> None:
    made = [PairRow(s, f"{n}", lang, f"q{q}", f"p{p}", key or None) for s, n, lang, q, p, key in rows]
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_BATCH_ROWS", 7)
        patch.setattr(packing, "_CHUNK", 5)
        pack_pairs([write(Path(home, "rows.jsonl"), made)], Path(home, "packed"))
        packed, expected = open_packed(Path(home, "packed")).index, build_index(made)
        assert (packed.languages, packed.sources) == (expected.languages, expected.sources)
        for name in ("rows", "source", "group", "counts"):
            assert np.array_equal(getattr(packed, name), getattr(expected, name)), name


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write(tmp_path / "one.jsonl", make_rows())
    for name in ("first", "second"):
        pack_pairs([source], tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("first", "second")
    )
    assert first == second


def test_what_is_there_is_kept_unless_asked(tmp_path: Path) -> None:
    source = write(tmp_path / "one.jsonl", make_rows(40))
    (tmp_path / "mine").mkdir()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="mine: exists already; give a new folder"):
            pack_pairs([source], tmp_path / "mine", overwrite=overwrite)
    pack_pairs(str(source), tmp_path / "packed")
    with pytest.raises(InputError, match="exists already; give --overwrite"):
        pack_pairs([source], tmp_path / "packed")
    write(source, make_rows(30))
    pack_pairs([source], tmp_path / "packed", overwrite=True)
    assert load_pairs(tmp_path / "packed").digest == load_pairs(source).digest


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("rows.npy", Path.unlink, "rows.npy: No such file or directory; pack the pairs anew"),
        ("order.npy", truncate, "order.npy: .* bytes, expected .*; pack the pairs anew"),
        ("texts.arrow", truncate, "texts.arrow: .* bytes, expected"),
        ("texts.arrow", flip, r"texts.arrow: block 0 \(from byte 0 on\) is damaged; pack the pairs anew"),
        ("group.npy", flip, "group.npy: block 0 .* is damaged"),
        ("blocks.json", Path.unlink, "blocks.json: no such file"),
        ("blocks.json", flip, "blocks.json:.*; pack the pairs anew"),
        ("pairs.json", lambda path: path.write_text('{"format": 99}'), "packed pairs of format 99, expected 2"),
        ("pairs.json", lambda path: path.write_text('{"format": 2}'), "pairs.json: 13 bytes, expected"),
        ("pairs.json", lambda path: path.write_text("[]"), "format None"),
        ("pairs.json", truncate, "pairs.json:[0-9]+: not valid JSON"),
    ],
)
def test_a_damaged_folder_is_one_line(tmp_path: Path, name: str, damage: Any, message: str) -> None:
    pack_pairs([write(tmp_path / "one.jsonl", make_rows(60))], tmp_path / "packed")
    damage(tmp_path / "packed" / name)
    with pytest.raises(InputError, match=message) as error:
        load_pairs(tmp_path / "packed")
    assert "\n" not in str(error.value)


def test_pairs_packed_by_an_earlier_version_are_refused(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    pack_pairs([write(tmp_path / "one.jsonl", make_rows(60))], packed)
    record = packed / "pairs.json"
    record.write_text(record.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(InputError, match="packed pairs of format 1, expected 2; pack the pairs anew"):
        load_pairs(packed)


def test_all_blocks_are_looked_at_where_all_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("BLOCK", 1 << 10), ("MOST_AT_OPENING", 0), ("SAMPLE", 0)):
        monkeypatch.setattr(f"isoglot.blocks.{name}", value)
    packed = tmp_path / "packed"
    pack_pairs([write(tmp_path / "one.jsonl", make_rows())], packed)
    flip(packed / "texts.arrow")
    load_pairs(packed)  # looks at the ends of every file only
    capsys.readouterr()
    assert main(["data", "check", str(packed)]) == 2
    assert re.search(r"texts.arrow: block \d+ .* is damaged; pack the pairs anew", capsys.readouterr().err)


def test_no_packed_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory, not a file, and holds no packed pairs"):
        load_pairs(tmp_path)
    with pytest.raises(InputError, match="no packed pairs"):
        open_packed(tmp_path)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(write(tmp_path / "one.jsonl", make_rows()))
    packed = str(tmp_path / "packed")
    assert main(["data", "pack", source, "--output", packed, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["pairs"] == load_pairs(source).index.n_pairs
    plans = []
    for pairs in (source, packed):
        assert main(["plan", "--pairs", pairs, "--batch-size", "6", "--steps", "20", "--json"]) == 0
        plans.append(json.loads(capsys.readouterr().out))
    assert plans[0] == plans[1]
    assert main(["data", "pack", source, "--output", packed]) == 2
    assert main(["data", "pack", source, "--output", str(tmp_path / "x"), "--languages", "fr"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "exists already" in err
    assert "no pairs in fr (languages there: ar, de, en, zh)" in err


@pytest.mark.parametrize("name", ["p.csv.gz", "p.tsv.gz", "p.jsonl.gz"])
def test_an_incomplete_gzip_file_is_one_line(tmp_path: Path, name: str) -> None:
    mark = "\t" if "tsv" in name else ","
    lines = [mark.join(["id", "lang", "query", "passage"])] if "jsonl" not in name else []
    random = np.random.default_rng(0)
    for number in range(500):
        cells = [str(number), "en", f"q{random.integers(1 << 60)}", f"p{random.integers(1 << 60)}"]
        fields = dict(zip(("id", "lang", "query", "passage"), cells))
        lines.append(json.dumps(fields) if "jsonl" in name else mark.join(cells))
    data = gzip.compress("\n".join(lines).encode())
    # in the middle, in the header's bytes, in the checksum
    for kept in (len(data) // 2, 14, len(data) - 4):
        (tmp_path / name).write_bytes(data[:kept])
        with pytest.raises(InputError, match=f"{name}: not a complete gzip file"):
            load_pairs(tmp_path / name)


FILLING = """
import subprocess, sys
from pathlib import Path
from isoglot.cli.main import main

source, disk = Path(sys.argv[1]), Path(sys.argv[2])
code, said = 2, []
for kilobytes in range(24, 4000, 12):
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", disk], check=True)
    code = main(["data", "pack", str(source), "--output", str(disk / "packed")])
    if code == 0:
        break
    assert code == 2, code
    assert not list(disk.iterdir()), list(disk.iterdir())
print(kilobytes)
"""


def test_a_full_disk_is_one_line_at_every_moment(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a small disk")
    try:
        words = [sys.executable, "-c", FILLING, str(write(tmp_path / "one.jsonl", make_rows(1500))), str(disk)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        problems = [line for line in done.stderr.splitlines() if line.startswith("isoglot: ")]
        assert len(problems) > 20
        assert all(
            line.startswith(f"isoglot: {disk}") and line.endswith("No space left on device)") for line in problems
        )
    finally:
        subprocess.run(["umount", disk], check=True)
    assert not list(disk.iterdir())
