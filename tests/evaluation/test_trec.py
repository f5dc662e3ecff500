"""Exported runs give our figures in ir_measures, ties included."""

from __future__ import annotations

import json
from pathlib import Path

import ir_measures
import numpy as np
import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.trec import LanguagePair, document_names, export_runs, strictly_decreasing
from isoglot.records import Benchmark, Texts
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.rankings import vector_search
from tests.evaluation.exports import coarse, toy
from tests.realdata import lareqa_dir


def figures(home: Path, cell: LanguagePair, depth: int) -> dict[tuple[str, str], float]:
    """(query id, our spelling) -> value, as ir_measures computes it from the files of a cell."""
    measures = {"AP": f"AP@{depth}", "RR": f"RR@{depth}", "nDCG@10": "nDCG@10", "R@1": "R@1", "R@10": "R@10"}
    parsed = {ir_measures.parse_measure(name): ours for name, ours in measures.items()}
    qrels = list(ir_measures.read_trec_qrels(str(home / cell.qrels)))
    run = list(ir_measures.read_trec_run(str(home / cell.run)))
    values = ir_measures.iter_calc(list(parsed), qrels, run)
    return {(value.query_id.split(":", 1)[1], parsed[value.measure]): value.value for value in values}


def assert_agrees(benchmark: Benchmark, model: Embeddings, home: Path, depth: int, compress: bool = False) -> int:
    """Compare every value per query; returns how many there were."""
    ours = [f"AP@{depth}", f"RR@{depth}", "nDCG@10", "R@1", "R@10"]
    rows = evaluate(model, benchmark, measures=ours).per_query.to_pylist()
    cells = export_runs(
        benchmark, vector_search(benchmark, model.queries, model.documents), home, depth=depth, compress=compress
    )
    compared = 0
    for cell in cells:
        theirs = figures(home, cell, depth)
        here = [
            row
            for row in rows
            if (row["setting"], row["query_lang"], row["doc_lang"]) == (cell.setting, cell.query_lang, cell.doc_lang)
        ]
        assert len(here) == cell.queries
        assert len(theirs) == cell.queries * len(ours)
        for row in here:
            for name in ours:
                assert row[name] == pytest.approx(theirs[row["query_id"], name], abs=1e-6), (
                    cell,
                    row["query_id"],
                    name,
                )
                compared += 1
    assert sum(cell.queries for cell in cells) == len(rows)
    return compared


@pytest.mark.parametrize("depth", [10, 1000])
def test_ir_measures_gives_our_figures(tmp_path: Path, depth: int) -> None:
    benchmark = toy()
    model = coarse(benchmark)
    scores = model.queries @ model.documents.T
    assert len(np.unique(scores)) < scores.size / 10, "the test needs ties"
    assert assert_agrees(benchmark, model, tmp_path, depth, compress=depth == 10) > 300


def test_layout(tmp_path: Path) -> None:
    benchmark = toy()
    model = coarse(benchmark)
    cells = export_runs(
        benchmark,
        vector_search(benchmark, model.queries, model.documents),
        tmp_path,
        depth=3,
        settings=["multi", "cross"],
    )
    assert {cell.setting for cell in cells} == {"cross", "multi"}
    about = json.loads((tmp_path / "cells.json").read_text())
    assert (about["benchmark"], about["depth"], len(about["cells"])) == ("toy", 3, 6 + 3)
    lines = (tmp_path / "cross" / "de-en.run.trec").read_text().splitlines()
    assert len(lines) == 3 * 11  # q3 has no answer in English and is no query there
    key, q0, document, rank, _, tag = lines[0].split()
    assert (key, q0, rank, tag) == ("de>en:q0", "Q0", "1", "isoglot")
    assert document.startswith("en:")
    assert (tmp_path / "multi" / "th.qrels.trec").read_text().splitlines()[0] == "th:q0 0 de:0 1"


def test_scores_fall_strictly_as_float32() -> None:
    scores = np.array([[0.9, 0.9, 0.9 - 1e-9, 0.9 - 1.1e-6, 0.0, 0.0, 0.0, -1e-30]], dtype=np.float64)
    steps, decimals = strictly_decreasing(scores)
    assert decimals == 6
    assert steps[0].tolist() == [900000, 899999, 899998, 899997, 0, -1, -2, -3]
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1.0, 7.5, 60.0, 1e4, 1e9):
        rows = -np.sort(-np.round(rng.random((5, 1000)), 2)) * scale
        steps, decimals = strictly_decreasing(rows)
        printed = np.array(
            [[f"{step / 10.0**decimals:.{max(decimals, 0)}f}" for step in row] for row in steps.tolist()]
        )
        assert (np.diff(printed.astype(np.float32), axis=1) < 0).all(), scale


def test_names_are_single_fields_and_unique() -> None:
    texts = Texts(["a b", "c%"], ["x", "y"])
    hostile = Texts(["../../x\x1b[31m", "\u202e\x9b\n"], ["x", "y"])
    pairs = Judgments(np.array([0]), np.array([0]), np.ones(1))
    once = make_benchmark("b", {"en": texts}, {"en": texts}, pairs)
    assert document_names(once) == ["a%20b", "c%25"]
    told = document_names(make_benchmark("b", {"en": texts}, {"en": hostile}, pairs))
    assert told == ["../../x%1B[31m", "%E2%80%AE%C2%9B%0A"]
    twice = make_benchmark("b", {"en": texts}, {"de": texts, "en": texts}, pairs)
    assert document_names(twice) == ["de:a%20b", "de:c%25", "en:a%20b", "en:c%25"]


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    benchmark = toy()
    model = coarse(benchmark)
    with pytest.raises(InputError, match="depth of a run must be at least 1"):
        export_runs(benchmark, vector_search(benchmark, model.queries, model.documents), tmp_path, depth=0)
    with pytest.raises(InputError, match="unknown setting"):
        export_runs(benchmark, vector_search(benchmark, model.queries, model.documents), tmp_path, settings=["all"])
    benchmark.gains[0] = 0.5
    with pytest.raises(InputError, match="fractional grades"):
        export_runs(benchmark, vector_search(benchmark, model.queries, model.documents), tmp_path)


@pytest.mark.realdata
@pytest.mark.slow
def test_a_subset_of_mlqa_r(tmp_path: Path) -> None:
    benchmark = load_benchmark("mlqa-r", data_dir=lareqa_dir("mlqa-r"), languages=["de", "es", "zh"])
    assert assert_agrees(benchmark, coarse(benchmark), tmp_path, 20) > 10_000
