"""Fusions on lists small enough to mix by hand; the evaluation, an index and plain scores agree on what is found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from isoglot.data.benchmarks.qrels import judge_by_key, make_benchmark
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.records import Benchmark, Float32Array, IntArray, PairRow, Texts
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.fair import Fair, FairSettings
from isoglot.retrieval.fusions import FUSIONS, Background, Fusion, Scale
from isoglot.retrieval.fusions.calibrated import Calibrated
from isoglot.retrieval.fusions.quota import Quota, RoundRobin
from isoglot.retrieval.fusions.raw import Raw
from isoglot.retrieval.fusions.standardised import Standardised
from isoglot.retrieval.indexes.exact import ExactIndex
from isoglot.retrieval.rankings import rank_benchmark, vector_search
from isoglot.retrieval.reciprocal import Reciprocal
from isoglot.retrieval.ties import pooled_ties
from tests.evaluation.test_bias_measures import parallel_benchmark

NAMES = ("de", "en", "th")
# three in de, two in en, one in th, by language and descending
SCORES = np.array([0.9, 0.8, 0.7, 0.85, 0.3, 0.5], dtype=np.float32)
LANGUAGE = np.array([0, 0, 0, 1, 1, 2])


def mixed(fusion: Fusion, asked: str | None = "de", scale: Scale | None = None) -> list[int]:
    fair = Fair(fusion, scale, {})
    return fair.order(SCORES, LANGUAGE, np.arange(6), NAMES, asked).tolist()


def test_raw_and_round_robin() -> None:
    assert mixed(Raw()) == [0, 3, 1, 2, 5, 4]
    # best of each by score, then the second of each, then the third
    assert mixed(RoundRobin()) == [0, 3, 5, 1, 4, 2]
    # the order in which the documents come is no matter
    shuffled = np.array([4, 2, 0, 5, 1, 3])
    order = Fair(RoundRobin(), None, {}).order(SCORES[shuffled], LANGUAGE[shuffled], shuffled, NAMES, None)
    assert shuffled[order].tolist() == [0, 3, 5, 1, 4, 2]


def test_quota() -> None:
    # by numbers 3 : 2 : 1, keys (r - 1/2) / w: de 1/6 3/6 5/6, en 1/4 3/4, th 1/2 (behind de's 3/6 by score)
    assert mixed(Quota()) == [0, 3, 1, 5, 4, 2]
    # de 1, en 3, th none: de .5 1.5 2.5, en 1/6 1/2 (behind de's by score), th last
    assert mixed(Quota(shares={"de": 1, "en": 3})) == [3, 0, 4, 1, 2, 5]
    # the query's own language twice: as 1 : 2 : 1 of equal ones; th asks for nothing
    equal = {"de": 1.0, "en": 1.0, "th": 1.0}
    assert mixed(Quota(shares=equal, own_share=2), "en") == [3, 0, 5, 4, 1, 2]
    assert mixed(Quota(shares=equal), "en") == mixed(RoundRobin())


def background() -> Background:
    """Four pairs in de and en whose passages score about .4 for their query, .2 for another, and .5 more in its own language."""
    rng, meaning = np.random.default_rng(1), np.eye(4, 5) * math.sqrt(0.2) + np.eye(1, 5, 4) * math.sqrt(0.2)
    passages = {
        lang: np.concatenate([meaning, np.tile(side, (4, 1)) * math.sqrt(0.5)], axis=1).astype(np.float32)
        for lang, side in (("de", [1.0, 0.0]), ("en", [0.0, 1.0]))
    }
    queries = {lang: rows + rng.normal(0, 0.05, rows.shape).astype(np.float32) for lang, rows in passages.items()}
    return Background(queries, passages, {lang: np.arange(4) for lang in passages})


def test_standardised() -> None:
    b = background()
    scale = Standardised().fit(b)
    scores = b.queries["de"] @ b.passages["en"].T
    unrelated = scores[~np.eye(4, dtype=bool)].astype(np.float64)
    a, shift = scale.row("de", ["en"])
    np.testing.assert_allclose(a * unrelated + shift, (unrelated - unrelated.mean()) / unrelated.std())
    # a language that nobody knows takes the mean over those of the queries
    np.testing.assert_allclose(scale.row(None, ["en"])[0], (scale.a[0, 1] + scale.a[1, 1]) / 2)
    # without strength scores are as they are; with half of it the mean is moved by half of itself, in its own units
    plain = Standardised(strength=0).fit(b)
    np.testing.assert_array_equal(plain.a, 1)
    np.testing.assert_array_equal(plain.b, 0)
    half = Standardised(strength=0.5).fit(b)
    np.testing.assert_allclose(half.row("de", ["en"])[1], -0.5 * unrelated.mean() / math.sqrt(unrelated.std()))
    assert Scale.from_dict(scale.to_dict()).row("en", ["de"])[0] == scale.row("en", ["de"])[0]
    with pytest.raises(InputError, match="the background has no passages in th; it has: de, en"):
        scale.row("de", ["de", "th"])


def test_calibrated_scores_are_log_odds() -> None:
    rng = np.random.default_rng(1)
    n = 400
    right, wrong = rng.normal(0.5, 0.1, n), rng.normal(0.2, 0.1, n)
    # one query per pair whose own passage scores `right` and whose best other one `wrong`
    queries = np.stack([right, wrong], axis=1).astype(np.float32)
    passages = np.array([[1, 0], [0, 1]], dtype=np.float32)
    groups = {"de": np.zeros(n, dtype=np.int64), "en": np.array([0, 1])}
    fitted = Background({"de": queries}, {"en": passages}, groups)
    a, b = Calibrated().cell(fitted, "de", "en")
    # two normal distributions of one variance, as many of each: log odds are (m1 - m0) / s^2 (x - (m1 + m0) / 2)
    assert a == pytest.approx(0.3 / 0.01, rel=0.15)
    assert -b / a == pytest.approx(0.35, abs=0.02)
    upside_down = Background({"de": -queries}, {"en": passages}, groups)
    with pytest.raises(InputError, match="nothing to calibrate on"):
        Calibrated().cell(upside_down, "de", "en")
    lonely = Background({"de": queries}, {"en": passages}, {"de": groups["de"], "en": np.zeros(2, dtype=np.int64)})
    with pytest.raises(InputError, match="too few parallel pairs in de and en"):
        Calibrated().cell(lonely, "de", "en")


def biased() -> tuple[Benchmark, Float32Array]:
    """Twelve parallel questions; any document in the query's own language scores above every other."""
    side = np.repeat([[1.5, 0.0], [0.0, 1.5]], 12, axis=0)
    return parallel_benchmark(), np.concatenate([np.tile(np.eye(12), (2, 1)), side], axis=1).astype(np.float32)


@pytest.mark.parametrize("name", [fusion.name for fusion in FUSIONS if not fusion.needs_texts])
def test_evaluation_and_index_find_the_same(name: str) -> None:
    benchmark, vectors = biased()
    ties = pooled_ties(benchmark)
    fusion = FUSIONS[name]()
    noise = np.random.default_rng(5).normal(0, 0.01, vectors.shape).astype(np.float32)
    halves = {"de": slice(0, 12), "en": slice(12, 24)}
    parallel = Background(
        {lang: (vectors + noise)[rows] for lang, rows in halves.items()},
        {lang: vectors[rows] for lang, rows in halves.items()},
        {lang: np.arange(12) for lang in halves},
    )
    fair = Fair(fusion, fusion.fit(parallel) if fusion.needs_background else None, {})
    plain = rank_benchmark(benchmark, vectors, vectors)
    ranks = fair.ranks(benchmark, vectors, vectors, ties, plain.own)
    np.testing.assert_array_equal(ranks.own, plain.own)
    found, _ = fair.searching(benchmark, vectors, vectors, ties, vector_search(benchmark, vectors, vectors))(None, 24)
    position = np.argsort(found, axis=1) + 1
    judged = np.repeat(np.arange(24), 2)
    np.testing.assert_array_equal(ranks.pooled, position[judged, benchmark.relevant])
    if name == "raw":
        np.testing.assert_array_equal(ranks.pooled, plain.pooled)
    else:  # the translation, 13th by score, is among the first four
        assert ranks.pooled.max() <= (4 if name == "quota" else 2) < plain.pooled.max()
    index = ExactIndex()
    ids = [key for texts in benchmark.corpus.values() for key in texts.ids]
    index.add(ids, vectors, [{"lang": "de"}] * 12 + [{"lang": "en"}] * 12)
    hits = fair.search(index, vectors[:12], 5, ["de", "en"], "de")
    assert hits.ids == [[ids[i] for i in line[:5]] for line in found[:12]]
    assert fair.search(index, vectors[:1], 5, ["de", "en"], "de", {"source": "nowhere"}).ids == [[]]


def test_an_evaluation_says_that_it_was_mixed() -> None:
    benchmark, vectors = biased()
    model = Embeddings(vectors, vectors)
    plain = evaluate(model, benchmark, measures=["RR"])
    fair = FairSettings(fusion="round-robin").fit(model)
    summary = evaluate(model, benchmark, measures=["RR"], fair=fair).summary
    assert summary["settings"]["multi"]["RR"] == 1.0
    assert summary["settings"]["mono"] == plain.summary["settings"]["mono"]
    assert summary["bias"]["rank_distance"] == 1.0 < plain.summary["bias"]["rank_distance"]
    assert summary["fair"] == {"fusion": {"name": "round-robin"}}
    assert any("rankings were fused by round-robin" in note for note in summary["notes"])
    with pytest.raises(InputError, match="the fusion 'standardised' needs background pairs"):
        FairSettings(fusion="standardised")
    with pytest.raises(InputError, match="the fusion 'quota' takes no background"):
        FairSettings(fusion="quota", background=["facts:"])


def test_a_background_is_spread_over_the_pairs_and_has_the_languages_asked_for() -> None:
    texts: list[str] = []

    class Model:
        """Says the number at the end of a text, and whether it is German."""

        def encode_query(self, asked: list[str], **_: object) -> Float32Array:
            texts.extend(asked)
            rows = [[float(text.split()[-1]), 1.0 + text.startswith("de")] for text in asked]
            return np.array(rows, dtype=np.float32)

        encode_document = encode_query

    rows = [
        PairRow(id=str(i), lang=lang, query=f"{lang} q {i}", passage=f"{lang} p {i}", source="s")
        for i in range(9)
        for lang in ("de", "en", "th")
    ]
    fair = Fair.fit(Standardised(), Model(), PairTable.from_rows(rows), 3, ["de", "en", "fr"])
    assert fair.scale is not None
    assert (fair.scale.queries, fair.scale.documents) == (("de", "en", "*"), ("de", "en"))
    assert fair.about["background"]["pairs"] == {"de": 3, "en": 3}
    assert sorted(texts) == sorted(f"{lang} {side} {i}" for lang in ("de", "en") for side in "qp" for i in (0, 4, 8))
    with pytest.raises(ValueError, match="needs background pairs"):
        Fair.fit(Standardised(), Model())


def test_reciprocal_ranks_by_hand() -> None:
    """Three documents, of which BM25 (here a table) finds two; what it does not find has the model's part alone."""

    class Table:
        def scores(self, queries: IntArray, language: str | None) -> Float32Array:
            line = np.array([0.0, 2.0, 5.0], dtype=np.float32)
            return np.tile(line if language is None else line[:2], (len(queries), 1))

    benchmark = three_documents()
    vectors = np.array([[0.9], [0.5], [0.7]], dtype=np.float32)
    both = Reciprocal(benchmark, np.ones((1, 1), dtype=np.float32), vectors, np.arange(3), Table(), 60.0)
    np.testing.assert_allclose(
        both.scores(np.array([0]), None), [[1 / 61, 1 / 63 + 1 / 62, 1 / 62 + 1 / 61]], rtol=1e-6
    )
    np.testing.assert_allclose(both.scores(np.array([0]), "de"), [[1 / 61, 1 / 62 + 1 / 61]], rtol=1e-6)
    level = Reciprocal(benchmark, np.ones((1, 1), dtype=np.float32), vectors * 0, np.array([2, 0, 1]), Table(), 60.0)
    np.testing.assert_allclose(
        level.scores(np.array([0]), None)[0, 0], 1 / 63, rtol=1e-6, err_msg="ties by their order"
    )


def three_documents() -> Benchmark:
    corpus = {"de": Texts(["a", "b"], ["eins", "zwei"]), "en": Texts(["c"], ["two"])}
    judged = judge_by_key(["q"], [("q", 1)])
    return make_benchmark("three", {"de": Texts(["q"], ["zwei"])}, corpus, judged)


def test_bm25_is_fused_within_and_across_languages() -> None:
    """A word in common lifts a document that the vectors have last, in its language's list as in the pooled one."""
    pytest.importorskip("bm25s", reason="bm25s is not installed (extra bm25)")
    benchmark = three_documents()
    model = Embeddings(np.ones((1, 1), dtype=np.float32), np.array([[0.9], [0.5], [0.7]], dtype=np.float32))
    settings = FairSettings(fusion="bm25")
    fair = settings.fit(model)
    assert fair is not None
    plain, fused = (evaluate(model, benchmark, measures=["RR"], fair=how).summary for how in (None, fair))
    assert [plain["settings"][setting]["RR"] for setting in ("mono", "multi")] == [1 / 2, 1 / 3]
    assert [fused["settings"][setting]["RR"] for setting in ("mono", "multi")] == [1.0, 1.0]
    assert fused["fair"]["fusion"] == {"name": "bm25", "rank_constant": 60.0}
    assert "Lucene" in fused["fair"]["ranker"]
    again = Fair.from_dict(json.loads(json.dumps(fair.to_dict())))
    assert evaluate(model, benchmark, measures=["RR"], fair=again).summary["settings"] == fused["settings"]
    with pytest.raises(InputError, match="bm25 ranks texts, and an index gives scores alone"):
        fair.search(ExactIndex(), model.queries, 2, ["de", "en"])


def test_a_fitted_fusion_is_kept_as_plain_values() -> None:
    scale = Scale(("de", "*"), ("de", "en"), np.array([[1.0, 2.0], [1.5, 1.5]]), np.array([[0.0, -0.1], [0.0, 0.0]]))
    fair = Fair(Standardised(strength=0.5), scale, {"fusion": {"name": "standardised", "strength": 0.5}})
    again = Fair.from_dict(json.loads(json.dumps(fair.to_dict())))
    assert (again.fusion, again.about) == (fair.fusion, fair.about)
    assert again.scale is not None
    np.testing.assert_array_equal(again.scale.a, scale.a)
    assert again.scale.queries == scale.queries
