"""Settings, averages, bias and result files on a benchmark small enough to rank by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import Judgments, benchmark_digest, make_benchmark
from isoglot.errors import InputError
from isoglot.evaluation.compare import compare
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.matching import System
from isoglot.evaluation.ranking import ranks_on
from isoglot.evaluation.results import load_result, model_digest
from isoglot.evaluation.trec import export_runs
from isoglot.models import precision
from isoglot.models.load import load_model
from isoglot.records import Benchmark, Texts
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.rankings import vector_search
from isoglot.retrieval.store import EmbeddingStore
from isoglot.retrieval.ties import pooled_ties
from tests.realdata import lareqa_dir

# Parallel questions with holes: q1 is asked in de, en and fr and answered in de, en and sw; q2 is asked in de and en,
# and answered in en only; nobody asks in sw, fr has no corpus. Documents are numbered de: 0 1, en: 2 3 4, sw: 5 6.
QUERIES = {
    "de": Texts(["q1", "q2"], ["wer", "wo"]),
    "en": Texts(["q1", "q2"], ["who", "where"]),
    "fr": Texts(["q1"], ["qui"]),
}
CORPUS = {
    "de": Texts(["d-q1", "d-x"], ["er", "x de"]),
    "en": Texts(["e-q1", "e-q2", "e-x"], ["he", "there", "x en"]),
    "sw": Texts(["s-q1", "s-x"], ["yeye", "x sw"]),
}
RELEVANT = {0: [0, 2, 5], 1: [3], 2: [0, 2, 5], 3: [3], 4: [0, 2, 5]}
# scores of the five queries (de q1, de q2, en q1, en q2, fr q1) against the seven documents
#            de: q1   x   en: q1  q2    x   sw: q1   x
SCORES = [
    [0.9, 0.8, 0.5, 0.6, 0.4, 0.1, 0.7],
    [0.9, 0.8, 0.1, 0.5, 0.6, 0.3, 0.2],
    [0.5, 0.6, 0.9, 0.1, 0.8, 0.7, 0.4],
    [0.1, 0.2, 0.3, 0.9, 0.4, 0.5, 0.6],
    [0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.4],
]
MEASURES = ("AP", "R@1", "RR")


@pytest.fixture
def benchmark() -> Benchmark:
    pairs = np.array([(q, d) for q, documents in RELEVANT.items() for d in documents])
    judgments = Judgments(pairs[:, 0], pairs[:, 1], np.ones(len(pairs)))
    return make_benchmark("toy", QUERIES, CORPUS, judgments, ["a", "b", "a", "b", "a"], {"license": "CC0-1.0"})


@pytest.fixture
def model() -> Embeddings:
    """Queries are unit vectors, so that the score of (q, d) is SCORES[q][d]."""
    return Embeddings(np.eye(5, dtype=np.float32), np.array(SCORES, dtype=np.float32).T)


def test_mono(benchmark: Benchmark, model: Embeddings) -> None:
    summary = evaluate(model, benchmark, measures=MEASURES).summary
    # de: q1 at rank 1 of 2; de q2 has no German answer and is no query there. en: q1 at rank 1, q2 at rank 1.
    assert summary["per_language"]["mono"] == {
        "de": {"AP": 1.0, "R@1": 1.0, "RR": 1.0},
        "en": {"AP": 1.0, "R@1": 1.0, "RR": 1.0},
    }
    assert summary["counts"]["cells"]["mono"] == 2


def test_cross(benchmark: Benchmark, model: Embeddings) -> None:
    summary = evaluate(model, benchmark, measures=["AP", "R@1"]).summary
    cross = summary["per_language"]["cross"]
    # de q1 in en: 0.6 > 0.5, rank 2; de q2 in en: 0.6 > 0.5, rank 2; de q1 in sw: 0.7 > 0.1, rank 2
    # en q1 in de: 0.6 > 0.5, rank 2; in sw rank 1. fr q1 is at rank 1 everywhere.
    one, half = {"AP": 1.0, "R@1": 1.0}, {"AP": 0.5, "R@1": 0.0}
    assert cross["matrix"] == {
        "de": {"en": half, "sw": half},
        "en": {"de": half, "sw": one},
        "fr": {"de": one, "en": one, "sw": one},
    }
    assert cross["by_query"] == {"de": half, "en": {"AP": 0.75, "R@1": 0.5}, "fr": one}
    assert cross["by_document"]["sw"] == pytest.approx({"AP": 2.5 / 3, "R@1": 2 / 3})
    # the mean over the seven cells, not over languages or queries: (3 x 0.5 + 4 x 1) / 7
    assert summary["settings"]["cross"] == pytest.approx({"AP": 5.5 / 7, "R@1": 4 / 7})
    assert summary["counts"]["cells"]["cross"] == 7


def test_multi_and_rank_distance(benchmark: Benchmark, model: Embeddings) -> None:
    summary = evaluate(model, benchmark, measures=["AP"]).summary
    # pooled ranks. de q1: 0.9 -> 1, 0.5 -> 5, 0.1 -> 7; de q2: 0.5 -> 4; en q1: 0.9 -> 1, 0.7 -> 3, 0.5 -> 5;
    # en q2: 1; fr q1: 1, 2, 3
    de = ((1 / 1 + 2 / 5 + 3 / 7) / 3 + 1 / 4) / 2
    en = ((1 / 1 + 2 / 3 + 3 / 5) / 3 + 1) / 2
    multi = summary["per_language"]["multi"]
    assert {lang: scores["AP"] for lang, scores in multi.items()} == pytest.approx({"de": de, "en": en, "fr": 1.0})
    assert summary["settings"]["multi"]["AP"] == pytest.approx((de + en + 1) / 3)
    # distances 7 - 1, 5 - 1, 3 - 1; the q2 queries have one answer and no distance
    assert {lang: item["rank_distance"] for lang, item in summary["bias"]["per_language"].items()} == {
        "de": 6.0,
        "en": 4.0,
        "fr": 2.0,
    }
    assert summary["bias"]["rank_distance"] == 4.0


def test_natural(benchmark: Benchmark, model: Embeddings) -> None:
    result = evaluate(model, benchmark, measures=["RR"], settings=["natural-cross", "natural", "multi"])
    # only q2 is answered in a single language, en. en q2: rank 1 of all seven; de q2: 0.9, 0.8, 0.6 > 0.5, rank 4
    assert list(result.summary["settings"]) == ["multi", "natural", "natural-cross"]
    assert result.summary["per_language"]["natural"] == {"en": {"RR": 1.0}}
    assert result.summary["per_language"]["natural-cross"]["matrix"] == {"de": {"en": {"RR": 0.25}}}
    assert "natural-cross, as query" in str(result)
    worse = evaluate(Embeddings(model.queries, -model.documents), benchmark, measures=["RR"], settings=["natural"])
    assert worse.summary["settings"]["natural"] == {"RR": 1 / 7}
    with pytest.raises(InputError, match="unknown setting 'natural'"):
        export_runs(benchmark, vector_search(benchmark, model.queries, model.documents), "-", settings=["natural"])


def test_rows_per_query(benchmark: Benchmark, model: Embeddings) -> None:
    table = evaluate(model, benchmark, measures=MEASURES).per_query
    assert table.column_names == [
        *("setting", "query_id", "query_lang", "doc_lang", "group", "n_relevant"),
        *("AP", "R@1", "RR", "best_rank", "worst_rank", "rank_distance"),
    ]
    rows = table.to_pylist()
    counts = {setting: sum(row["setting"] == setting for row in rows) for setting in ("mono", "cross", "multi")}
    assert counts == {"mono": 3, "cross": 8, "multi": 5}
    first = next(row for row in rows if row["setting"] == "multi")
    assert first | {"AP": None, "RR": None, "R@1": None} == {
        "setting": "multi",
        "query_id": "q1",
        "query_lang": "de",
        "doc_lang": "*",
        "group": "a",
        "n_relevant": 3,
        "AP": None,
        "R@1": None,
        "RR": None,
        "best_rank": 1,
        "worst_rank": 7,
        "rank_distance": 6.0,
    }
    distances = [(row["query_id"], row["rank_distance"]) for row in rows if row["rank_distance"] is not None]
    assert distances == [("q1", 6.0), ("q1", 4.0), ("q1", 2.0)]


def test_summary_schema(benchmark: Benchmark, model: Embeddings) -> None:
    summary = evaluate(model, benchmark, measures=MEASURES, model_name="mine", digest="abc").summary
    assert list(summary) == [
        *("model", "benchmark", "context", "settings", "micro", "bias", "per_language", "counts", "notes"),
        *("tie_rule", "prompts", "about", "digests", "versions", "seconds"),
    ]
    assert (summary["model"], summary["benchmark"], summary["context"]) == ("mine", "toy", "sentence")
    assert {setting: list(scores) for setting, scores in summary["settings"].items()} == {
        setting: ["AP", "R@1", "RR"] for setting in ("mono", "cross", "multi")
    }
    bias = summary["bias"]
    assert {"rank_distance", "rank_distance_median", "rank_distance_log2", "PEER", "topk_share"} < set(bias)
    # macro: the mean over query languages
    distances = {
        lang: values["rank_distance"] for lang, values in bias["per_language"].items() if "rank_distance" in values
    }
    assert bias["rank_distance"] == pytest.approx(sum(distances.values()) / len(distances))
    assert set(summary["micro"]) == set(summary["settings"])
    assert summary["counts"] == {
        "languages": 4,
        "queries": {"de": 2, "en": 2, "fr": 1},
        "documents": {"de": 2, "en": 3, "sw": 2},
        "cells": {"mono": 2, "cross": 7, "multi": 3},
    }
    assert summary["digests"] == {"benchmark": benchmark_digest(benchmark), "model": "abc"}
    assert list(summary["seconds"]) == ["encode_queries", "encode_corpus", "rank", "measure", "bias", "total"]
    assert {"isoglot", "python", "numpy"} <= set(summary["versions"])
    assert summary["about"] == {"license": "CC0-1.0"}
    json.dumps(summary, allow_nan=False)


def test_settings_that_do_not_exist(benchmark: Benchmark, model: Embeddings) -> None:
    mono = evaluate(model, benchmark, settings=["mono"]).summary
    assert (list(mono["settings"]), mono["bias"], mono["notes"]) == (["mono"], {}, [])
    # German alone: no cross cell, one answer per query, so no distance either
    part = Embeddings(model.queries[:2], model.documents[:2])
    german = evaluate(part, benchmark, languages=["de"]).summary
    assert list(german["settings"]) == ["mono", "multi"]
    assert german["bias"] == {}
    assert german["notes"] == [
        "setting 'cross' was left out: no query has a relevant document in another language",
        "rank distance was left out: no query has relevant documents in two languages",
    ]
    assert "note: setting 'cross' was left out" in str(evaluate(part, benchmark, languages=["de"]))
    with pytest.raises(InputError, match="toy: nothing to measure: setting 'cross' was left out"):
        evaluate(part, benchmark, languages=["de"], settings=["cross"])


def test_bad_arguments(benchmark: Benchmark, model: Embeddings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown setting 'multilingual'"):
        evaluate(model, benchmark, settings=["multilingual"])
    with pytest.raises(InputError, match="unknown measure 'NDCG10'"):
        evaluate(model, benchmark, measures=["NDCG10"])
    with pytest.raises(InputError, match=r"no model 'e5': expected a directory"):
        evaluate("e5", benchmark)
    with pytest.raises(InputError, match="2 query vectors for the 5 texts of toy"):
        evaluate(Embeddings(model.queries[:2], model.documents), benchmark)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: is a file; give a directory"):
        evaluate(model, benchmark, output=tmp_path / "file")


def test_result_round_trip(benchmark: Benchmark, model: Embeddings, tmp_path: Path) -> None:
    # a folder name with '=' must not be taken for a partition
    home = tmp_path / "setting=x"
    result = evaluate(model, benchmark, output=home)
    assert sorted(path.name for path in home.iterdir()) == ["per_query.parquet", "summary.json"]
    again = load_result(home)
    assert again.summary == result.summary
    assert again.per_query.equals(result.per_query)
    (home / "summary.json").write_text("[]")
    with pytest.raises(InputError, match="not a result"):
        load_result(home)


def test_tables(benchmark: Benchmark, model: Embeddings) -> None:
    before = evaluate(model, benchmark, measures=["AP", "R@1"], model_name="base")
    text = str(before)
    assert "base on toy (4 languages, 5 queries, 7 passages)" in text
    assert "cross    0.786  0.571" in text
    assert "rank distance 4.0 (median 4.0; lower is better)" in text
    # fr: no corpus, so no mono and no passage column; sw: nobody asks in it
    assert any(line.split() == ["fr", "-", "1.000", "-", "1.000", "2.0"] for line in text.splitlines())
    assert any(line.split() == ["sw", "-", "-", "0.833", "-", "-"] for line in text.splitlines())
    # after: de q1 in en goes from rank 2 to rank 1
    scores = np.array(SCORES, dtype=np.float32)
    scores[0, 2] = 0.65
    after = evaluate(Embeddings(model.queries, scores.T), benchmark, measures=["AP", "R@1"])
    systems = [System("base", (before,), ("b",)), System("tuned", (after,), ("t",))]
    comparison = compare(systems, measure="AP", settings=["mono", "cross"], resamples=99)
    lines = [line.split() for line in str(comparison).splitlines()]
    # the cell de -> en holds two queries, one of which gains 0.5: 0.25 / 7 = 0.036
    assert ["base", "cross", "0.7857"] in lines
    assert any(line[:4] == ["tuned", "cross", "0.8214", "+0.0357"] for line in lines)
    assert any(line[:4] == ["tuned", "mono", "1.0000", "+0.0000"] for line in lines)
    assert after.summary["bias"]["rank_distance"] == before.summary["bias"]["rank_distance"] == pytest.approx(4.0)
    other = evaluate(Embeddings(model.queries[:2], model.documents[:2]), benchmark, languages=["de"], measures=["AP"])
    with pytest.raises(InputError, match="cannot be compared"):
        compare([systems[0], System("other", (other,), ("o",))], measure="AP")


class Words:
    """A stand-in for a SentenceTransformer: a fixed random vector per text and side."""

    def __init__(self) -> None:
        self.prompts = {"query": "query: ", "document": "passage: "}

    def _encode(self, side: str, texts: list[str]) -> np.ndarray:
        rows = [np.random.default_rng(list(f"{side}{text}".encode())).normal(size=8) for text in texts]
        return np.array(rows, dtype=np.float32)

    def encode_query(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
        return self._encode("q", texts)

    def encode_document(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
        return self._encode("d", texts)


def test_a_model_is_encoded_and_its_prompts_are_kept(benchmark: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    result = evaluate(Words(), benchmark, batch_size=2)
    assert result.summary["prompts"] == Words().prompts
    assert result.summary["digests"]["model"] is None
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "encode queries" in captured.err
    assert result.summary["settings"] == evaluate(Words(), benchmark, progress=False).summary["settings"]


def test_vectors_are_compared_as_the_model_says(benchmark: Benchmark) -> None:
    """By cosine the first passage of a language is nearest, by inner product the longest."""

    class Lengths(Words):
        similarity_fn_name = "cosine"

        def _encode(self, side: str, texts: list[str]) -> np.ndarray:
            long = [1.0 if side == "q" else 1.0 + 9 * text.startswith("x") for text in texts]
            return np.array([[length, length * (length > 1)] for length in long], dtype=np.float32)

    model = Lengths()
    cosine = evaluate(model, benchmark, measures=["RR"], settings=["mono"], progress=False).summary
    model.similarity_fn_name = "dot"
    dot = evaluate(model, benchmark, measures=["RR"], settings=["mono"], progress=False).summary
    assert cosine["per_language"]["mono"]["de"]["RR"] == 1.0
    assert dot["per_language"]["mono"]["de"]["RR"] == 0.5
    model.similarity_fn_name = "euclidean"
    with pytest.raises(InputError, match=r"euclidean distance.*--similarity cosine or dot"):
        evaluate(model, benchmark, progress=False)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "cannot be ranked: a query vector has NaN"),
        (np.inf, "NaN or infinity"),
        (1e30, "too long|beyond float32"),
    ],
)
def test_vectors_that_cannot_be_ranked(benchmark: Benchmark, value: float, message: str) -> None:
    """Models are asked before: a vector that is not finite names its text (`encode_texts`)."""
    vectors = Embeddings(np.full((5, 3), value, np.float32), np.full((7, 3), 1e30, np.float32))
    with pytest.raises(InputError, match=message):
        evaluate(vectors, benchmark)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_all_scores_are_equal_the_hash_of_the_id_decides(benchmark: Benchmark, value: float) -> None:
    """Vectors of zeros, or all the same: every passage ties with every other."""
    result = evaluate(Embeddings(np.full((5, 3), value, np.float32), np.full((7, 3), value, np.float32)), benchmark)
    places = dict(zip((key for _, key, _ in benchmark.pooled_documents()), pooled_ties(benchmark)))
    first = min(places[key] for key in ("d-q1", "e-q1", "s-q1"))
    rows = [row for row in result.per_query.to_pylist() if (row["setting"], row["query_id"]) == ("multi", "q1")]
    assert {row["best_rank"] for row in rows} == {first + 1}
    json.dumps(result.summary, allow_nan=False)


def test_one_document_one_language_and_no_judged_query(benchmark: Benchmark) -> None:
    one = np.zeros(1, dtype=np.int64)
    texts = {"en": Texts(["q"], ["who"])}, {"en": Texts(["d"], ["he"])}
    alone = make_benchmark("alone", *texts, Judgments(one, one, np.ones(1)))
    vectors = Embeddings(np.ones((1, 2), np.float32), np.ones((1, 2), np.float32))
    summary = evaluate(vectors, alone, measures=["nDCG@10"]).summary
    assert summary["settings"] == {"mono": {"nDCG@10": 1.0}, "multi": {"nDCG@10": 1.0}}
    assert summary["notes"][0].startswith("setting 'cross' was left out")
    json.dumps(summary, allow_nan=False)
    with pytest.raises(InputError, match=r"no judgment|no query|nothing to measure"):
        evaluate(vectors, make_benchmark("none", *texts, Judgments(one[:0], one[:0], np.ones(0))))


def test_digests_follow_the_content(benchmark: Benchmark) -> None:
    import torch

    layer = torch.nn.Linear(3, 2)
    digest = model_digest(layer)
    assert digest == model_digest(layer)
    layer.to(torch.bfloat16)
    assert model_digest(layer) != digest
    with torch.no_grad():
        layer.bias[0] += 1
    assert model_digest(layer) not in (digest, None)
    texts = {**CORPUS, "sw": Texts(["s-q1", "s-x"], ["yeye", "x SW"])}
    pairs = Judgments(np.array([0]), np.array([0]), np.ones(1))
    assert benchmark_digest(make_benchmark("a", QUERIES, CORPUS, pairs)) != benchmark_digest(
        make_benchmark("a", QUERIES, texts, pairs)
    )
    assert benchmark_digest(make_benchmark("a", QUERIES, CORPUS, pairs)) == benchmark_digest(
        make_benchmark("b", QUERIES, CORPUS, pairs, about={"license": "other"})
    )


def test_measuring_imports_no_torch() -> None:
    code = "import isoglot.evaluation.report, isoglot.evaluation.evaluate, sys; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.realdata
@pytest.mark.slow
def test_xquad_r_cells() -> None:
    """Queries that are the sum of their 11 answers find them, in 11, 110 and 11 cells."""
    benchmark = load_benchmark("xquad-r", data_dir=lareqa_dir("xquad-r"))
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(benchmark.n_documents, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = np.stack(
        [
            vectors[benchmark.relevant[benchmark.indptr[q] : benchmark.indptr[q + 1]]].sum(axis=0)
            for q in range(benchmark.n_queries)
        ]
    )
    summary = evaluate(Embeddings(queries, vectors), benchmark, measures=["R@1"]).summary
    assert summary["counts"]["cells"] == {"mono": 11, "cross": 110, "multi": 11}
    assert summary["counts"]["queries"] == dict.fromkeys(benchmark.query_languages, 1190)
    assert summary["settings"]["mono"]["R@1"] > 0.9
    assert summary["settings"]["multi"]["R@1"] == pytest.approx(1 / 11, abs=0.005)


def test_ranks_are_counted_where_the_model_is() -> None:
    on_gpu, on_cpu = (SimpleNamespace(device=torch.device(name)) for name in ("cuda:1", "cpu"))
    assert ranks_on(None, on_gpu) == "cuda:1"
    assert ranks_on("cuda", on_cpu) == "cuda"
    assert ranks_on(None, on_cpu) is ranks_on("cpu", on_gpu) is ranks_on(None, object()) is None


def test_vectors_in_bfloat16_are_close_and_named(
    zoo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "computes_in_bf16", lambda device: True)
    model, benchmark, store = load_model(str(zoo("labse"))), load_benchmark("faq"), EmbeddingStore(tmp_path)
    exact, rounded = (
        evaluate(model, benchmark, precision=kind, languages=["de", "en"], store=store, progress=False)
        for kind in ("fp32", "bf16")
    )
    assert "precision" not in exact.summary
    assert rounded.summary["precision"] == "bf16"
    assert any("bf16" in note for note in rounded.summary["notes"])
    assert len(list(tmp_path.glob("*/meta.json"))) == 4, "vectors of one precision are not taken for those of the other"
    for setting, values in exact.summary["settings"].items():
        assert values["AP"] == pytest.approx(rounded.summary["settings"][setting]["AP"], abs=0.05)
