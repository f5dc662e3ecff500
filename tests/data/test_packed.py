"""Packed pairs: what memory holds of the same rows, and what is refused."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.cli.main import main
from isoglot.data.groups import first_rows, group_pairs
from isoglot.data.pairs import packing
from isoglot.data.pairs.check import check_pairs
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packed import PackedTable, open_packed
from isoglot.data.pairs.packing import pack_pairs
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
    monkeypatch.setattr(packing, "_BATCH_ROWS", 64)
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
    pack_pairs([tmp_path / "packed"], tmp_path / "english", languages=["en"])
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


def test_nothing_is_left_of_an_interrupted_pack(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "one.jsonl", make_rows())
    pack_pairs([source], tmp_path / "packed")
    before = {path.name: path.read_bytes() for path in (tmp_path / "packed").iterdir()}
    assert set(before) == {
        *("pairs.json", "texts.arrow", "rows.npy", "source.npy", "group.npy", "order.npy", "blocks.json")
    }

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for step in ("_columns", "_place_rows", "write_json"):
        with monkeypatch.context() as patch:
            patch.setattr(packing, step, interrupt)
            for target in ("packed", "new"):
                with pytest.raises(KeyboardInterrupt):
                    pack_pairs([source], tmp_path / target, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jsonl", "packed"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "packed").iterdir()} == before


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
    pack_pairs([source], tmp_path / "packed")
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
        ("pairs.json", lambda path: path.write_text('{"format": 1}'), "pairs.json: 13 bytes, expected"),
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


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("rows.npy", Path.unlink, "rows.npy: no such file"),
        ("order.npy", truncate, "order.npy: not a complete array"),
        ("group.npy", lambda path: np.save(path, np.arange(3)), r"group.npy: int64 of shape \(3,\), expected"),
        ("texts.arrow", truncate, "texts.arrow: not a complete Arrow file"),
        (
            "texts.arrow",
            lambda path: shutil.copy(path.parents[1] / "other" / path.name, path),
            "rows where pairs.json says",
        ),
        ("pairs.json", lambda path: path.write_text('{"format": 1}'), "pairs.json: not a record of packed pairs"),
    ],
)
def test_pairs_packed_without_digests_open_and_say_so(
    tmp_path: Path, name: str, damage: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, packed = write(tmp_path / "one.jsonl", make_rows(60)), tmp_path / "packed"
    pack_pairs([source], packed)
    pack_pairs([write(tmp_path / "two.jsonl", make_rows(40))], tmp_path / "other")
    (packed / "blocks.json").unlink()
    record = packed / "pairs.json"
    record.write_text(record.read_text().replace('"format": 2', '"format": 1'))
    assert load_pairs(packed).digest == load_pairs(source).digest
    assert "packed: packed without digests, so damage is not noticed; pack the pairs anew" in capsys.readouterr().err
    damage(packed / name)
    with pytest.raises(InputError, match=message):
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
