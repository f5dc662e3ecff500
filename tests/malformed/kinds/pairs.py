"""Files of pairs, tables that are written otherwise, packed pairs."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from isoglot.errors import InputError
from tests.malformed.kinds.shared import (
    LANGUAGES,
    Kind,
    N,
    Wrong,
    accepted,
    filled_lines,
    jsonl,
    pair_rows,
    parquet,
    refused,
    register,
    run,
    same,
    words_of,
)


def delimited(delimiter: str, encoding: str = "utf-8", before: str = "") -> bytes:
    sink = io.StringIO()
    sink.write(before)
    rows = [{**row, "negatives": json.dumps(row["negatives"])} for row in pair_rows()]
    writer = csv.DictWriter(sink, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode(encoding)


def one_column_per_language() -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["id", *(f"{side}_{lang}" for lang in LANGUAGES for side in ("query", "passage"))])
    writer.writerows([n, *(f"{side} {n} {lang}" for lang in LANGUAGES for side in "qp")] for n in range(N))
    return sink.getvalue().encode()


def n_rows(path: Path) -> int | None:
    """Rows of a file of pairs, counted without the readers; None where quotes decide."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return int(pq.ParquetFile(path).metadata.num_rows)
    return filled_lines(path) if name.endswith(".jsonl") else None


def check_pairs(folder: Path, spoiled: Path) -> None:
    """`data check` counts every row; what it lets pass loads and makes a plan, what it does not is refused."""
    from isoglot.data.pairs.loading import load_pairs

    answer = run("data", "check", str(spoiled), "--json")
    if accepted(answer, spoiled):
        report = json.loads(answer.out)
        rows = sum(sum(source["rows"].values()) for source in report["sources"].values())
        if (expected := n_rows(spoiled)) is not None:
            same("rows", expected, rows + len(report["problems"]))
    try:
        table = load_pairs(spoiled)
    except InputError as error:
        refused(words_of(error), spoiled)
        if answer.code == 0:
            raise Wrong("unnamed", f"data check passes what does not load: {error}") from None
        return
    if answer.code != 0:
        raise Wrong("unnamed", f"data check refuses what loads: {answer.err}")
    same("rows", rows, len(table))
    assert table.digest
    accepted(run("plan", "--pairs", str(spoiled), "--batch-size", "2", "--steps", "2"), None)


def pairs_kind(name: str, data: bytes, what: str = "") -> Kind:
    return Kind(f"pairs {what or name.partition('.')[2]}", {name: data}, check_pairs)


def check_table(options: str) -> Callable[[Path, Path], None]:
    """A table that is written otherwise: what `data check --clean` keeps and drops is all that it reads."""

    def check(folder: Path, spoiled: Path) -> None:
        clean = folder.parent / "clean.jsonl"
        answer = run("data", "check", f"table:{spoiled}?{options}", "--clean", str(clean), "--overwrite", "--json")
        if accepted(answer, spoiled):
            report = json.loads(answer.out)
            rows = sum(sum(source["rows"].values()) for source in report["sources"].values())
            same("rows", report["rows_read"], rows + len(report["problems"]))
            same("kept and dropped", report["rows_read"], report["rows_kept"] + sum(report["rows_dropped"].values()))
            same("written", report["rows_kept"], filled_lines(clean))

    return check


@cache
def packed_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "p.jsonl").write_bytes(jsonl(pair_rows()))
        assert run("data", "pack", str(home / "p.jsonl"), "--output", str(home / "packed")).code == 0
        return {f"packed/{path.name}": path.read_bytes() for path in sorted((home / "packed").iterdir())}


def check_packed(folder: Path, spoiled: Path) -> None:
    """Every file has its digests: what opens is what was packed."""
    answer = run("data", "check", str(folder / "packed"), "--json")
    if accepted(answer, spoiled):
        sources = json.loads(answer.out)["sources"].values()
        same("rows", len(pair_rows()), sum(sum(source["rows"].values()) for source in sources))
    accepted(run("plan", "--pairs", str(folder / "packed"), "--batch-size", "2", "--steps", "2"), spoiled)


@register
def _pairs() -> Iterator[Kind]:
    rows = pair_rows()
    yield pairs_kind("p.jsonl", jsonl(rows))
    yield pairs_kind("p.csv", delimited(","))
    yield pairs_kind("p.tsv", delimited("\t"))
    yield pairs_kind("wide.csv", one_column_per_language(), "one column per language")
    yield pairs_kind("excel.csv", delimited(";", before="sep=;\n"), "csv with sep=")
    yield Kind("table cp1252", {"p.csv": delimited(";", "cp1252")}, check_table("encoding=cp1252"))
    utf_16 = delimited("\t", "utf-16-le")
    yield Kind("table utf-16", {"p.txt": utf_16}, check_table("encoding=utf-16-le&delimiter=tab"))
    yield pairs_kind("p.parquet", parquet([{**row, "id": str(row["id"])} for row in rows]))
    yield pairs_kind("p.jsonl.gz", gzip.compress(jsonl(rows), mtime=0))
    yield pairs_kind("p.CSV.GZ", gzip.compress(delimited(","), mtime=0))
    yield Kind("packed pairs", packed_files(), check_packed)
