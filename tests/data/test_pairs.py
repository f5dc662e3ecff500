"""Formats, filters, the index, splits."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isoglot.cli.main import main
from isoglot.data.pairs.check import check_pairs
from isoglot.data.pairs.index import build_index
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packing import pack_pairs
from isoglot.data.pairs.source import SOURCES, Item, Source
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.records import PairRow

ROWS: list[dict[str, Any]] = [
    {"id": "1", "lang": "en", "query": "who, then?", "passage": 'the "cat"', "passage_id": "c", "negatives": ["a dog"]},
    {"id": "1", "lang": "deu", "query": "wer?", "passage": "die Katze\nund so", "passage_id": "c", "negatives": []},
    {"id": "2", "lang": "en", "query": "what?", "passage": "a mouse", "passage_id": "m", "negatives": []},
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as sink:
        if name.endswith(".jsonl"):
            sink.write("".join(json.dumps(row) + "\n" for row in rows))
        else:
            writer = csv.DictWriter(sink, list(rows[0]), delimiter="\t" if name.endswith(".tsv") else ",")
            writer.writeheader()
            writer.writerows({**row, "negatives": json.dumps(row["negatives"])} for row in rows)
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz", "p.csv", "p.tsv", "p.csv.gz", "p.parquet"])
def test_every_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    table = load_pairs(write(tmp_path / name, ROWS))
    assert table.languages == ("de", "en")
    assert table.index.sources == ("p",)
    assert table.column("passage", np.array([1, 0])) == ["die Katze\nund so", 'the "cat"']
    assert table.column("negatives", np.array([0, 2])) == [["a dog"], []]
    assert table.has_negatives
    assert table.index.rows.tolist() == [[1, 0], [-1, 2]]
    reference = load_pairs(write(tmp_path / "p.jsonl", ROWS))
    assert table.digest == reference.digest


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ROWS[0]).encode())
    assert len(load_pairs(path)) == 1


def test_languages_filter_and_sources_stack(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.jsonl", ROWS), write(tmp_path / "two.jsonl", ROWS)
    table = load_pairs([one, two], languages=["en"])
    assert table.languages == ("en",)
    assert table.index.sources == ("one", "two")
    assert table.index.n_pairs == 4, "the same id in two sources is two pairs"


def test_a_copy_of_a_file_has_duplicate_rows_and_the_same_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path, other = write(tmp_path / "p.jsonl", ROWS), write(tmp_path / "other" / "p.jsonl", ROWS)
    with pytest.raises(
        InputError, match=rf"{other}:1: duplicate row: id '1' in 'en' of source 'p' is already at {path}:1"
    ):
        load_pairs([path, other])
    assert len(check_pairs([str(path), str(other)]).problems) == len(ROWS)
    assert len(load_pairs([path, path])) == len(ROWS)


def test_groups_join_what_may_not_share_a_batch() -> None:
    rows = [
        PairRow("s", "a", "en", "q a", "same text"),
        PairRow("s", "b", "en", "q b", "same text"),
        PairRow("s", "b", "de", "f b", "p b", "x"),
        PairRow("s", "c", "de", "f c", "p c", "x"),
        PairRow("s", "d", "de", "f d", "same text"),
        PairRow("s", "e", "en", "q a", "p e"),
        PairRow("t", "f", "de", "f f", "p f", "x"),
    ]
    group = dict(zip("abcdef", build_index(rows).group.tolist()))
    assert group["a"] == group["b"] == group["c"] == group["e"]
    assert group["d"] == group["a"], "no model is told that the same letters are another language's"
    assert group["f"] != group["c"], "passage ids belong to their source"


def test_split_keeps_groups_together_and_loses_nothing() -> None:
    rows = [
        PairRow("s", str(number), lang, f"q{number}{lang}", f"p{number}{lang}", f"g{number // 4}")
        for number in range(80)
        for lang in ("de", "en")
    ]
    table = PairTable.from_rows(rows)
    train, held = table.split(0.25, seed=1)
    assert (train.index.n_pairs, held.index.n_pairs) == (60, 20)
    ids = [set(part.table.column("passage_id").to_pylist()) for part in (train, held)]
    assert not ids[0] & ids[1]
    assert table.split(0.25, seed=1)[1].digest == held.digest != table.split(0.25, seed=2)[1].digest
    for share in (0.0, 1.0, 0.001):
        with pytest.raises(InputError):
            table.split(share, seed=0)


def test_check_reports_figures(tmp_path: Path) -> None:
    report = check_pairs([str(write(tmp_path / "p.jsonl", [*ROWS, {**ROWS[2], "id": "3"}]))])
    assert list(report.sources) == ["p"]
    source = report.sources["p"]
    assert source.pairs == 3
    assert source.rows == {"en": 3, "de": 1}
    assert source.pairs_in_k_languages == {2: 1, 1: 2}
    assert source.repeated_texts == {"query": 1, "passage": 1}
    assert source.largest_group == 2
    assert source.rows_with_negatives == 2 - 1
    # "a mouse" twice, 'the "cat"' once
    assert report.lengths["en"]["passage"][0] == pytest.approx((7 + 7 + 9) / 3, abs=0.05)


def test_the_list_of_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "sources", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["sources"]}
    assert {"files", "packed", "facts", "lareqa", "mmarco", "nq", "mr-tydi"} <= set(rows)
    assert rows["facts"]["form"] == "facts: or facts:en,de"
    assert all(row["help"] and row["form"] for row in rows.values())
    for option in ([], ["--markdown"]):
        assert main(["list", "sources", *option]) == 0
        out = capsys.readouterr().out
        assert all(row["help"] in out and row["form"] in out for row in rows.values())
    assert main(["list", "benchmarks"]) == main(["list", "transforms"]) == 0
    out = capsys.readouterr().out
    assert "xquad-r" in out
    assert "amount_seed (0)" in out


def test_another_source_is_one_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Numbers(Source):
        """So many numbers, in words of no language."""

        name = "numbers"
        form = "numbers:N"

        def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
            for number in range(int(spec.partition(":")[2])):
                yield PairRow("numbers", str(number), "en", f"q{number}", f"p{number}"), spec, number + 1

    SOURCES.register(Numbers())
    try:
        assert len(load_pairs("numbers:5")) == 5
        pack_pairs(["numbers:5"], tmp_path / "packed")
        assert load_pairs(tmp_path / "packed").digest == load_pairs("numbers:5").digest
        assert main(["data", "check", "numbers:3"]) == 0
        assert re.search(r"^numbers +3 +3$", capsys.readouterr().out, re.MULTILINE)
        assert main(["list", "sources"]) == 0
        assert "So many numbers" in capsys.readouterr().out
        for command in ("train", "plan", "data check", "data pack", "data audit"):
            with pytest.raises(SystemExit):
                main([*command.split(), "--help"])
            assert "numbers:N" in capsys.readouterr().out, command
        with pytest.raises(InputError, match=r"none\.jsonl: no such file.*isoglot list sources"):
            load_pairs(tmp_path / "none.jsonl")
    finally:
        SOURCES.remove("numbers")


def test_a_source_that_reads_nothing_is_none() -> None:
    with pytest.raises(TypeError, match="Nothing: a source needs read or read_on"):

        class Nothing(Source):
            name = "nothing"
