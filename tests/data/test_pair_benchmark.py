"""Benchmarks made from pairs, against a reading of the pairs row by row."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.pair_benchmark import make_pair_benchmark
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.records import Benchmark, PairRow
from tests.evaluation.exports import coarse

LANGUAGES = ("ar", "de", "en", "zh")


def rows_of(n: int = 60) -> list[PairRow]:
    """Two sources with the same ids, gaps, passages and queries that several pairs have (in some languages only), negatives."""
    random = np.random.default_rng(3)
    rows = []
    for number in range(n):
        for lang in LANGUAGES:
            if random.random() < 0.2:
                continue
            passage = f"passage {number - number % 3 if number % 4 == 0 else number} {lang}"
            query = f"query {number - number % 5 if number % 2 == 0 and lang != 'de' else number} {lang}"
            spaced = passage.replace(" ", "\u00a0\u200b ") if number % 7 == 0 else passage
            negatives = ("no",) if number % 9 == 0 else ()
            source = ("b", "a c")[number % 2]
            rows.append(PairRow(source, f"{number // 2}\tx", lang, query, spaced, f"p{number}", negatives))
    return rows


def plain(text: str) -> str:
    return "".join(text.split()).replace("\u200b", "")


Judged = dict[tuple[str, str], set[tuple[str, str]]]


def expected(rows: list[PairRow]) -> Judged:
    """Per (language, query text), the (language, passage text) of all pairs that have that query in that language."""
    asks, has = defaultdict(set), defaultdict(set)
    for row in rows:
        asks[row.lang, plain(row.query)].add((row.source, row.id))
        has[row.source, row.id].add((row.lang, plain(row.passage)))
    return {query: set().union(*(has[pair] for pair in pairs)) for query, pairs in asks.items()}


def judged(benchmark: Benchmark) -> Judged:
    documents = [(lang, plain(text)) for lang, _, text in benchmark.pooled_documents()]
    answers = [
        {documents[number] for number in benchmark.relevant[first:end]}
        for first, end in zip(benchmark.indptr, benchmark.indptr[1:])
    ]
    queries = [(lang, plain(text)) for lang, _, text in benchmark.pooled_queries()]
    assert len(set(queries)) == len(queries)
    assert len(set(documents)) == len(documents), "a text is one document of its language"
    return dict(zip(queries, answers))


def write(path: Path, rows: list[PairRow]) -> str:
    path.write_text("".join(json.dumps(vars(row)) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("pool", ["parallel", "natural"])
def test_judgments_and_folder(pool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of()
    pairs = write(tmp_path / "pairs.jsonl", rows)
    output = tmp_path / "made"
    assert main(["data", "benchmark", pairs, "--output", str(output), "--pool", pool, "--seed", "5"]) == 0
    assert f"{len(rows)} rows in 4 languages" in capsys.readouterr().out
    table = load_pairs(pairs)
    made, read = make_pair_benchmark(table, "made", pool, 5), load_benchmark(output)
    assert benchmark_digest(made) == benchmark_digest(read)
    assert read.about["pool"] == pool
    found, everything = judged(read), expected(rows)
    corpus = {(lang, plain(text)) for lang, _, text in read.pooled_documents()}
    assert found == {query: answers & corpus for query, answers in everything.items()}
    assert pool == "natural" or corpus == set().union(*everything.values())
    ids = [key for side in (read.pooled_queries(), read.pooled_documents()) for _, key, _ in side]
    assert not any(sign in key for key in ids for sign in "\t \n\u00a0")
    assert any("%09x" in key and key.startswith("a%20c/") for key in ids)
    # an id in several languages stands for the same pairs
    asked = defaultdict(set)
    for row in rows:
        asked[row.lang, plain(row.query)].add((row.source, row.id))
    by_id = defaultdict(set)
    for lang, key, text in read.pooled_queries():
        by_id[key].add(frozenset(asked[lang, plain(text)]))
    assert all(len(stands_for) == 1 for stands_for in by_id.values())
    assert len(set().union(*by_id.values())) == len(by_id), "the same pairs have the same id"
    # queries of pairs that share a text are one group
    group = {
        (table.index.sources[table.index.source[pair]], *table.column("id", row[row >= 0][:1])): number
        for pair, (row, number) in enumerate(zip(table.index.rows, table.index.group.tolist()))
    }
    wanted = [{group[pair] for pair in asked[lang, plain(text)]} for lang, _, text in read.pooled_queries()]
    assert [{int(name)} for name in read.query_groups] == wanted


def test_a_natural_pool_has_one_language_per_pair_drawn_uniformly() -> None:
    rows = [
        PairRow("s", str(n), lang, f"q{n} {lang}", f"p{n} {lang}")
        for n in range(600)
        for lang in (LANGUAGES if n % 2 else ("de", "en"))
    ]
    table = PairTable.from_rows(rows)
    benchmark = make_pair_benchmark(table, "x", "natural", 0)
    assert benchmark.n_documents == 600
    assert (np.diff(benchmark.indptr) == 1).all()
    drawn = {lang: len(texts) for lang, texts in benchmark.corpus.items()}
    assert abs(drawn["en"] - 225) < 45
    assert abs(drawn["zh"] - 75) < 28
    again, other = (make_pair_benchmark(table, "x", "natural", seed) for seed in (0, 1))
    assert benchmark_digest(again) == benchmark_digest(benchmark) != benchmark_digest(other)


def test_a_natural_pool_holds_one_of_the_translations_of_a_shared_passage() -> None:
    rows = [PairRow("s", str(n), lang, f"q{n} {lang}", f"p{n // 4} {lang}") for n in range(80) for lang in LANGUAGES]
    benchmark = make_pair_benchmark(PairTable.from_rows(rows), "x", "natural")
    assert benchmark.n_documents == 20
    assert (np.diff(benchmark.indptr) == 1).all()
    assert len(set(benchmark.query_groups)) == 20


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_held_out_pairs_and_the_rest_are_all_pairs(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(200)
    pairs, rest = write(tmp_path / "pairs.jsonl", rows), tmp_path / f"rest{ending}"
    words = ["data", "benchmark", pairs, "--holdout", ".2", "--seed", "1", "--rest", str(rest), "--json"]
    assert main([*words, "--output", str(tmp_path / "made")]) == 0
    facts = json.loads(capsys.readouterr().out)
    left = load_pairs(rest)
    kept = {(row["source"], row["id"], row["lang"]): row for row in left.table.to_pylist()}
    whole = {(row["source"], row["id"], row["lang"]): row for row in load_pairs(pairs).table.to_pylist()}
    assert kept.items() <= whole.items(), "all columns"
    assert facts["rows"] == {"read": len(rows), "benchmark": len(rows) - len(kept), "rest": len(kept)}
    assert facts["pairs"]["read"] == facts["pairs"]["benchmark"] + facts["pairs"]["rest"]
    assert 0 < facts["rows"]["benchmark"] < len(rows) / 2
    benchmark = load_benchmark(tmp_path / "made")
    for side, texts in (("query", benchmark.pooled_queries()), ("passage", benchmark.pooled_documents())):
        assert not {plain(text) for _, _, text in texts} & {plain(row[side]) for row in kept.values()}
    gone = [row for row in rows if (row.source, row.id, row.lang) not in kept]
    assert judged(benchmark) == expected(gone)
    if ending == ".jsonl.gz":
        assert gzip.decompress(rest.read_bytes()).count(b"\n") == len(kept)


def test_a_natural_pool_is_measured_and_bootstrapped_over_groups() -> None:
    table = PairTable.from_rows(rows_of())
    benchmark = make_pair_benchmark(table, "x", "natural")
    result = evaluate(coarse(benchmark), benchmark)
    assert set(result.summary["settings"]) == {"mono", "cross", "multi"}
    per_query = result.per_query.to_pydict()
    assert set(per_query["group"]) == set(benchmark.query_groups)
    apart = [PairRow("s", str(n), lang, f"q{n} {lang}", f"p{n} {lang}") for n in range(9) for lang in LANGUAGES]
    benchmark = make_pair_benchmark(PairTable.from_rows(apart), "x", "natural")
    notes = evaluate(coarse(benchmark), benchmark).summary["notes"]
    assert any("rank distance was left out" in note for note in notes)


def test_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = write(tmp_path / "pairs.jsonl", rows_of(8))
    made, rest = str(tmp_path / "made"), str(tmp_path / "rest.jsonl")
    before = sorted(tmp_path.rglob("*"))
    for words, problem in (
        (["--output", made, "--holdout", ".5"], "--holdout needs --rest"),
        (["--output", made, "--rest", rest], "--rest needs --holdout"),
        (["--output", made, "--holdout", ".5", "--rest", f"{rest}.csv"], "written as .jsonl or .jsonl.gz"),
        (["--output", made, "--holdout", ".5", "--rest", pairs], "exists already"),
        (["--output", str(tmp_path)], "exists already"),
        (["--output", made, "--holdout", ".0001", "--rest", rest], "leaves one side empty"),
        (["--output", made, "--holdout", "1", "--rest", rest], "holdout"),
        (["--output", made, "--languages", "fr"], "fr"),
    ):
        assert main(["data", "benchmark", pairs, *words]) == 2
        out, err = capsys.readouterr()
        assert problem in err
        assert err.count("\n") == 1
        assert not out
        assert sorted(tmp_path.rglob("*")) == before


def test_a_start_that_was_killed_between_folder_and_file_is_begun_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, rest = write(tmp_path / "pairs.jsonl", rows_of(8)), tmp_path / "rest.jsonl"
    words = ["data", "benchmark", pairs, "--output", str(tmp_path / "made"), "--rest", str(rest), "--holdout"]
    assert main([*words, ".5"]) == 0
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    rest.unlink()
    assert main([*words, ".25"]) == 2, "another benchmark is there"
    assert "made: exists already" in capsys.readouterr().err
    assert not rest.exists()
    assert main([*words, ".5"]) == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == whole


def test_some_queries_with_a_group_and_some_without_are_refused(tmp_path: Path) -> None:
    main(["data", "benchmark", write(tmp_path / "pairs.jsonl", rows_of(8)), "--output", str(tmp_path / "made")])
    path = tmp_path / "made/queries/en.jsonl"
    first, *others = path.read_text(encoding="utf-8").splitlines()
    row = {key: value for key, value in json.loads(first).items() if key != "group"}
    path.write_text("\n".join([json.dumps(row), *others]), encoding="utf-8")
    with pytest.raises(InputError, match="some have none"):
        load_benchmark(tmp_path / "made")
