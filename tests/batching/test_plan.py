"""What must hold for every plan: composition, no false negatives, coverage, determinism."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.data.pairs.index import build_index
from isoglot.errors import InputError
from isoglot.records import Batch, PairRow

LANGUAGES = ("ar", "de", "en", "zh")


def make_rows(n: int = 90, source: str = "s", languages: tuple[str, ...] = LANGUAGES, shared: int = 3) -> list[PairRow]:
    """n pairs; every `shared` consecutive pairs have the same passage id; every fifth pair lacks its first language."""
    return [
        PairRow(source, f"p{number}", lang, f"q{number} {lang}", f"a{number} {lang}", f"passage{number // shared}")
        for number in range(n)
        for lang in (languages[1:] if number % 5 == 0 and len(languages) > 2 else languages)
    ]


def make_plan(rows: list[PairRow], **settings: object) -> BatchPlan:
    return BatchPlan(build_index(rows), PlanSettings(**{"batch_size": 8, **settings}))  # type: ignore[arg-type]


def as_bytes(batch: Batch) -> bytes:
    return batch.query_rows.tobytes() + batch.passage_rows.tobytes() + batch.kind.encode()


@pytest.mark.parametrize("strategy", ["mono", "cross", "hybrid"])
def test_query_and_passage_are_the_same_pair(strategy: str) -> None:
    rows = make_rows()
    for batch in make_plan(rows, strategy=strategy)[:60]:
        assert [rows[row].id for row in batch.query_rows] == [rows[row].id for row in batch.passage_rows]
        assert len(batch) == 8


def test_mono_batches_are_in_one_language_and_use_all_of_them_alike() -> None:
    rows = make_rows()
    counts: Counter[str] = Counter()
    for batch in make_plan(rows, strategy="mono")[:800]:
        assert {rows[row].lang for row in (*batch.query_rows, *batch.passage_rows)} == {batch.language}
        assert np.array_equal(batch.query_rows, batch.passage_rows)
        counts[str(batch.language)] += 1
    assert set(counts) == set(LANGUAGES)
    # 800 draws at 1/4: standard deviation 12.2; five of them
    assert all(abs(n - 200) < 62 for n in counts.values())


def test_cross_batches_have_two_languages_in_every_pair_and_use_all_ordered_pairs_alike() -> None:
    rows = make_rows(n=400, shared=1)
    counts: Counter[tuple[str, str]] = Counter()
    for batch in make_plan(rows, strategy="cross")[:600]:
        assert batch.language is None
        pairs = [(rows[q].lang, rows[p].lang) for q, p in zip(batch.query_rows, batch.passage_rows)]
        assert all(query != passage for query, passage in pairs)
        counts.update(pair for pair, q in zip(pairs, batch.query_rows) if int(rows[q].id[1:]) % 5)
    assert len(counts) == len(LANGUAGES) * (len(LANGUAGES) - 1)
    expected = sum(counts.values()) / len(counts)
    assert all(abs(n - expected) < 6 * expected**0.5 for n in counts.values())


@pytest.mark.parametrize(("queries", "passages"), [(2, 3), (1, "all"), ("all", 1), (9, 9)])
def test_multiway_draws_each_pair_in_several_languages_without_preference(
    queries: int | str, passages: int | str
) -> None:
    rows = make_rows(n=200, shared=1)
    has = Counter(row.id for row in rows)
    counts: Counter[str] = Counter()
    plan = make_plan(rows, strategy="multiway", query_languages=queries, passage_languages=passages)
    for batch in plan[:300]:
        assert batch.language is None
        assert len(batch) == 8
        for side, number in ((batch.queries, queries), (batch.passages, passages)):
            assert np.array_equal(side.places, np.sort(side.places))
            drawn = [(rows[row].id, rows[row].lang) for row in side.rows]
            assert len(set(drawn)) == len(drawn)
            for key, times in Counter(key for key, _ in drawn).items():
                assert times == min(has[key], has[key] if number == "all" else int(number))
            counts.update(lang for key, lang in drawn if has[key] == len(LANGUAGES))
    expected = sum(counts.values()) / len(LANGUAGES)
    assert all(abs(n - expected) < 5 * expected**0.5 for n in counts.values())
    assert plan.strata[0].kind == "multiway"


def test_the_sides_of_multiway_are_drawn_independently() -> None:
    plan = make_plan(make_rows(n=200, shared=1), strategy="multiway", query_languages=1, passage_languages=1)
    same = [np.mean(batch.queries.languages == batch.passages.languages) for batch in plan[:400]]
    # one in three or four; 3,200 draws
    assert 0.22 < np.mean(same) < 0.30


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_hybrid_is_mono_with_probability_mono_share(share: float) -> None:
    kinds = Counter(batch.kind for batch in make_plan(make_rows(), strategy="hybrid", mono_share=share)[:1000])
    assert abs(kinds["mono"] - 1000 * share) <= 5 * (1000 * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("strategy", ["mono", "cross", "hybrid"])
def test_no_batch_holds_two_rows_of_one_passage_or_query(strategy: str) -> None:
    rows = make_rows(n=96, shared=6)
    rows += [PairRow("s", "twin", lang, f"q1 {lang}", f"another answer {lang}") for lang in LANGUAGES]
    rows += [PairRow("s", "copy", "en", "another question", "a50 en"), PairRow("s", "copy", "de", "andere", "x")]
    for batch in make_plan(rows, strategy=strategy)[:400]:
        ids = [rows[row].id for row in batch.query_rows]
        assert len(set(ids)) == len(ids)
        passages = [rows[row].passage_id for row in batch.passage_rows if rows[row].passage_id]
        assert len(set(passages)) == len(passages)
        assert not {"twin", "p1"} <= set(ids), "same query text"
        assert not {"copy", "p50"} <= set(ids), "same passage text in English is one passage in German too"


@pytest.mark.parametrize(
    ("n", "shared", "size"), [(64, 1, 8), (67, 1, 8), (90, 3, 8), (33, 1, 32), (40, 5, 8), (61, 4, 7)]
)
@pytest.mark.parametrize("strategy", ["mono", "cross"])
def test_every_pair_is_seen_in_every_epoch_of_its_stratum(n: int, shared: int, size: int, strategy: str) -> None:
    rows = make_rows(n=n, shared=shared, languages=("en", "zh"))
    plan = make_plan(rows, strategy=strategy, batch_size=size)
    for number, info in enumerate(plan.strata):
        dealer = plan._dealers[number]
        for epoch in range(3):
            draws = range(epoch * info.batches_per_epoch, (epoch + 1) * info.batches_per_epoch)
            seen = Counter(int(pair) for draw in draws for pair in dealer.batch(draw))
            assert len(seen) == n == info.pairs
            # only what completes the batches comes twice
            assert sum(seen.values()) - n == info.batches_per_epoch * size - n
            if shared == 1:
                assert sum(seen.values()) - n < size


def test_epochs_differ_and_strata_differ() -> None:
    plan = make_plan(make_rows(n=64, shared=1), strategy="mono")
    first, second = plan._dealers[0], plan._dealers[1]
    epoch = plan.strata[0].batches_per_epoch
    assert not np.array_equal(first.batch(0), first.batch(epoch))
    assert not np.array_equal(first.batch(0), second.batch(0))


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    rows = make_rows()
    one, two, other = (make_plan(rows, seed=seed) for seed in (7, 7, 8))
    assert [as_bytes(one[step]) for step in range(50)] == [as_bytes(two[step]) for step in range(50)]
    assert all(as_bytes(one[step]) != as_bytes(other[step]) for step in range(50))


def test_steps_can_be_asked_for_in_any_order() -> None:
    rows = make_rows()
    forwards = [as_bytes(batch) for batch in make_plan(rows)[:300]]
    plan = make_plan(rows)
    assert [as_bytes(plan[step]) for step in reversed(range(300))][::-1] == forwards
    # across the border of a schedule block, backwards and forwards
    assert as_bytes(plan[9000]) == as_bytes(make_plan(rows)[9000])
    assert as_bytes(plan[5]) == forwards[5]
    resumed = plan[290:300]
    assert [as_bytes(batch) for batch in resumed] == forwards[290:]
    assert next(plan[7:]).step == 7


def test_other_processes_make_the_same_plan() -> None:
    code = (
        "from tests.batching.test_plan import *; import hashlib;"
        "print(hashlib.sha256(b''.join(as_bytes(b) for b in make_plan(make_rows())[:40])).hexdigest())"
    )
    answers = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(answers) == 1


def test_process_slices_tile_the_batch() -> None:
    batch = make_plan(make_rows())[3]
    parts = [batch.part(rank, 4) for rank in range(4)]
    assert np.array_equal(np.concatenate([part.query_rows for part in parts]), batch.query_rows)
    assert np.array_equal(np.concatenate([part.passage_rows for part in parts]), batch.passage_rows)
    with pytest.raises(ValueError, match="evenly"):
        batch.part(0, 3)


def test_sources_are_drawn_by_size_temperature_or_weight() -> None:
    rows = make_rows(n=300, source="big", shared=1) + make_rows(n=100, source="small", shared=1)

    def share(**settings: object) -> float:
        plan = make_plan(rows, strategy="cross", **settings)
        return sum(info.share for info in plan.strata if info.source == "small")

    assert share() == pytest.approx(0.25)
    assert share(source_temperature=2.0) == pytest.approx(10 / (10 + 300**0.5))
    assert share(source_weights={"big": 1, "small": 4}) == pytest.approx(0.8)
    assert share(source_weights={"small": 4}) == pytest.approx(1.0)
    drawn = Counter(batch.source for batch in make_plan(rows, strategy="hybrid")[:1000])
    assert 180 < drawn["small"] < 320


def test_a_source_in_one_language_feeds_monolingual_batches_of_that_language_only() -> None:
    rows = make_rows(n=50, source="parallel", shared=1) + make_rows(
        n=500, source="english", languages=("en",), shared=1
    )
    plan = make_plan(rows, strategy="hybrid")
    assert {(info.kind, info.language) for info in plan.strata if info.source == "english"} == {("mono", "en")}
    by_language = Counter()
    for info in plan.strata:
        if info.kind == "mono":
            by_language[info.language] += info.share
    # languages stay uniform, however large the English source is
    assert all(share == pytest.approx(0.5 / 4) for share in by_language.values())


@pytest.mark.parametrize("weights", [{"en": 3, "zh": 1}, {"eng_Latn": 3, "zh-CN": 1}])
def test_language_weights(weights: dict[str, int]) -> None:
    plan = make_plan(make_rows(), strategy="mono", language_weights=weights)
    shares = {info.language: info.share for info in plan.strata}
    assert shares == {"en": pytest.approx(0.75), "zh": pytest.approx(0.25)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "hybird"}, "did you mean 'hybrid'"),
        ({"mono_share": 1.5}, "at most 1"),
        ({"batch_size": 1}, "at least 2"),
        ({"seed": -1}, "negative"),
        ({"source_temperature": 0}, "above 0"),
        ({"source_weights": {"nope": 1}}, "unknown source"),
        ({"language_weights": {"xx": 1}}, "unknown language"),
        ({"language_weights": {"fr": 1}}, "unknown language in language_weights 'fr'"),
        ({"language_weights": {"zh": 1, "zh-Hans": 1}}, "'zh' is given twice"),
        ({"language_weights": {"en": -1}}, "language_weights.en must not be negative"),
        ({"batch_size": 31}, "30"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(make_rows(n=90, shared=3), **settings)


def test_one_language_cannot_cross() -> None:
    rows = make_rows(languages=("en",))
    for strategy in ("cross", "hybrid"):
        with pytest.raises(InputError, match="two or more languages"):
            make_plan(rows, strategy=strategy)
    assert make_plan(rows, strategy="mono")[0].language == "en"


def make_bitext(n: int = 40, source: str = "b") -> list[PairRow]:
    texts = [(number, lang, f"{number} {lang}") for number in range(n) for lang in LANGUAGES]
    return [PairRow(source, f"p{number}", lang, text, text) for number, lang, text in texts]


@pytest.mark.parametrize("strategy", ["mono", "hybrid"])
def test_bitext_alone_makes_no_batches_of_one_language(strategy: str) -> None:
    message = rf"strategy '{strategy}' draws batches of one language, and b is plain bitext.*\(cross, multiway\)"
    with pytest.raises(InputError, match=message):
        make_plan(make_bitext(), strategy=strategy)
    assert make_plan(make_bitext(), strategy="hybrid", mono_share=0)[0].kind == "cross"


@pytest.mark.parametrize("strategy", ["cross", "multiway"])
def test_bitext_is_drawn_in_batches_of_several_languages(strategy: str) -> None:
    rows = make_bitext()
    for batch in make_plan(rows, strategy=strategy)[:40]:
        if strategy == "cross":
            assert all(rows[q].query != rows[p].passage for q, p in zip(batch.query_rows, batch.passage_rows))
        assert len({rows[row].lang for row in batch.query_rows}) > 1


def test_beside_questions_bitext_is_in_batches_of_several_languages_only() -> None:
    plan = make_plan(make_rows() + make_bitext(), strategy="hybrid")
    assert {info.source for info in plan.strata if info.language} == {"s"}
    assert {info.source for info in plan.strata if not info.language} == {"b", "s"}
    assert np.isclose(sum(info.share for info in plan.strata), 1)
    with pytest.raises(InputError, match="b is plain bitext"):
        make_plan(make_rows() + make_bitext(), strategy="hybrid", source_weights={"b": 1})


def test_one_question_among_copies_is_no_bitext() -> None:
    rows = make_bitext()
    assert build_index(rows).bitext == ("b",)
    assert build_index([*rows, PairRow("b", "q", "en", "asked", "answered")]).bitext == ()
