"""Batch plans over any structure of pairs: no false negatives, every pair in every epoch, shares as asked, any order of steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isoglot.batching.permutation import Permutation
from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.schedule import BLOCK, Schedule
from isoglot.data.groups import first_rows, group_pairs
from isoglot.data.pairs.index import PairIndex, build_index
from isoglot.data.sameness import text_key
from isoglot.errors import InputError
from isoglot.records import PairRow
from tests.fuzz.trying import outcome, tried

LANGUAGES = ("de", "en", "th")


@st.composite
def tables(draw: Any, most: int = 40) -> list[PairRow]:
    """Pairs in some languages each, that share texts and passages as it comes."""
    rows = []
    several = draw(st.integers(1, 40))  # how many different texts there are: from all the same to hardly any
    texts = st.integers(0, several)
    for number in range(draw(st.integers(1, most))):
        source = draw(st.sampled_from("ssst"))
        passage_id = draw(st.none() | texts.map(lambda n: f"p{n}"))
        for lang in draw(st.sets(st.sampled_from(LANGUAGES), min_size=1)):
            query, passage = f"q{draw(texts)}{lang}", f"a{draw(texts)}"
            if draw(st.integers(0, 9)) == 0:
                query = passage = f"both {number}"
            rows.append(PairRow(source, f"{number}", lang, query, passage, passage_id))
    return rows


def groups_of(rows: list[PairRow]) -> dict[tuple[str, str], int]:
    """The group of every pair, by joining pairs that share a key until nothing changes."""
    group: dict[tuple[str, str], int] = {}
    keys: dict[Hashable, set[tuple[str, str]]] = {}
    for row in rows:
        pair = (row.source, row.id)
        group.setdefault(pair, len(group))
        keys.setdefault(("q", text_key(row.query)), set()).add(pair)
        keys.setdefault(("a", text_key(row.passage)), set()).add(pair)
        if row.passage_id is not None:
            keys.setdefault(("p", row.source, row.passage_id), set()).add(pair)
    changed = True
    while changed:
        changed = False
        for members in keys.values():
            least = min(group[pair] for pair in members)
            for pair in members:
                changed |= group[pair] != least
                group[pair] = least
    return group


@tried(60)
@given(
    tables(), st.sampled_from(["mono", "cross", "hybrid", "multiway"]), st.integers(2, 12), st.integers(0, 2**32 - 1)
)
def test_plans_of_any_pairs(rows: list[PairRow], strategy: str, batch_size: int, seed: int) -> None:
    index = build_index(rows)
    group = groups_of(rows)
    pairs = list(dict.fromkeys((row.source, row.id) for row in rows))
    by_number = [group[pair] for pair in pairs]
    assert len({*zip(by_number, index.group.tolist())}) == len({*by_number}) == index.n_groups, (
        "groups are those that share a key"
    )
    plan = outcome(lambda: BatchPlan(index, PlanSettings(strategy=strategy, batch_size=batch_size, seed=seed)))
    if isinstance(plan, InputError):
        assert not _possible(index, strategy, batch_size), str(plan)
        return
    assert _possible(index, strategy, batch_size)
    for info, dealer in zip(plan.strata, plan._dealers):
        lang = None if info.language is None else info.language
        members = index.members(index.sources.index(info.source), lang)
        sizes = Counter(by_number[pair] for pair in members.tolist())
        assert info.batches_per_epoch == max(-(-len(members) // batch_size), max(sizes.values())), (
            "as few as there can be"
        )
        for epoch in (0, 1):
            first = epoch * info.batches_per_epoch
            batches = [dealer.batch(first + number).tolist() for number in range(info.batches_per_epoch)]
            seen = Counter(pair for batch in batches for pair in batch)
            assert {*seen} == {*members.tolist()}, "every pair in every epoch, and no other"
            for batch in batches:
                assert len(batch) == batch_size
                assert len({by_number[pair] for pair in batch}) == batch_size, "no two of one group"
            if len(members) == info.batches_per_epoch * batch_size:
                assert {*seen.values()} == {1}
    _look(plan, rows, batch_size)


def _possible(index: PairIndex, strategy: str, batch_size: int) -> bool:
    """Whether all kinds of batches that the strategy draws have pairs, and all sources of them enough groups for a batch."""

    def strata(languages: tuple[str | None, ...]) -> list[int]:
        found = []
        for source, name in enumerate(index.sources):
            for lang in languages:
                members = index.members(source, lang)
                if len(members) and not (lang is not None and name in index.bitext):
                    found.append(len({*index.group[members].tolist()}))
        return found

    needed = [strata(index.languages)] * (strategy in ("mono", "hybrid")) + [strata((None,))] * (strategy != "mono")
    return all(groups and min(groups) >= batch_size for groups in needed)


def _look(plan: BatchPlan, rows: list[PairRow], batch_size: int) -> None:
    """What holds for the steps of every plan."""
    steps = range(12)
    batches = list(plan[:12])
    other = BatchPlan(plan.index, plan.settings)
    for step in reversed(steps):
        again, batch = other[step], batches[step]
        for one, two in ((again.queries, batch.queries), (again.passages, batch.passages)):
            np.testing.assert_array_equal(one.rows, two.rows)
            np.testing.assert_array_equal(one.places, two.places)
    for batch in batches:
        assert len(batch) == batch_size
        asked, answers = ([rows[row] for row in side.rows.tolist()] for side in (batch.queries, batch.passages))
        assert {row.source for row in (*asked, *answers)} == {batch.source}
        for side, texts in ((batch.queries, asked), (batch.passages, answers)):
            assert sorted({*side.places.tolist()}) == list(range(batch_size))
            for row, pair, lang in zip(texts, side.pairs.tolist(), side.languages.tolist()):
                assert plan.index.rows[pair, lang] >= 0
                assert plan.index.languages[lang] == row.lang
        if batch.kind == "mono":
            assert {row.lang for row in (*asked, *answers)} == {batch.language}
        if batch.kind == "cross":
            assert all(a.lang != b.lang and a.id == b.id for a, b in zip(asked, answers, strict=True))
        for world in (n for n in range(1, batch_size + 1) if batch_size % n == 0):
            parts = [batch.part(rank, world) for rank in range(world)]
            np.testing.assert_array_equal(np.concatenate([part.query_rows for part in parts]), batch.query_rows)
            np.testing.assert_array_equal(np.concatenate([part.passage_rows for part in parts]), batch.passage_rows)


@tried(40)
@given(st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_alpha_is_honoured(alpha: float, seed: int) -> None:
    rows = [PairRow("s", f"{n}", lang, f"q{n}{lang}", f"a{n}{lang}") for n in range(12) for lang in LANGUAGES]
    plan = BatchPlan(build_index(rows), PlanSettings(strategy="hybrid", mono_share=alpha, batch_size=4, seed=seed))
    mono = sum(info.share for info in plan.strata if info.kind == "mono")
    assert abs(mono - alpha) < 1e-12
    assert abs(sum(info.share for info in plan.strata) - 1) < 1e-12
    steps = 2000
    drawn = sum(plan.strata[plan._schedule.at(step)[0]].kind == "mono" for step in range(steps))
    # six standard deviations: one in five hundred million by chance
    assert abs(drawn - steps * alpha) <= 6 * (steps * alpha * (1 - alpha)) ** 0.5 + 1e-9 * steps


@tried(40)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8), st.integers(0, 2**32 - 1), st.integers(0, 3 * BLOCK))
def test_draws_of_a_stratum_are_numbered_through(weights: list[float], seed: int, first: int) -> None:
    shares = np.array(weights) / sum(weights)
    schedule, other = Schedule(shares, seed), Schedule(shares, seed)
    seen: dict[int, int] = {}
    for step in range(first, first + 60):
        stratum, draw = schedule.at(step)
        assert 0 <= stratum < len(shares)
        assert draw == seen.get(stratum, draw), "one after the other, whatever was asked for before"
        seen[stratum] = draw + 1
    assert other.at(first + 59) == schedule.at(first + 59)


@tried(60)
@given(st.integers(1, 3000), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4))
def test_permutations_have_everything_once(n: int, key: list[int]) -> None:
    permutation = Permutation(n, *key)
    places = permutation(np.arange(n))
    assert sorted(places.tolist()) == list(range(n))
    some = [0, n // 2, n - 1]
    assert [permutation.at(place) for place in some] == places[some].tolist()


@tried(60)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=40), st.integers(1, 50))
def test_groups_by_hashes_in_any_buckets(edges: list[tuple[int, int]], bucket: int) -> None:
    numbers = {pair: n for n, pair in enumerate(dict.fromkeys(pair for pair, _ in edges))}
    pair_of_row = np.array([numbers[pair] for pair, _ in edges])
    # hashes over all 64 bits, 0 for no key
    hashes = np.array([key * 0x9E3779B97F4A7C15 % 2**64 for _, key in edges], dtype=np.uint64)
    groups = group_pairs(pair_of_row, len(numbers), [hashes], bucket)
    rows = [
        PairRow("s", str(pair), "de", f"{n}", f"x{n}", str(key) if key else None) for n, (pair, key) in enumerate(edges)
    ]
    expected = groups_of(rows)
    both = {(groups[numbers[pair]], expected["s", str(pair)]) for pair, _ in edges}
    assert len(both) == len({one for one, _ in both}) == len({two for _, two in both})
    for found, first in first_rows(hashes, bucket=bucket):
        for row, begin in zip(found.tolist(), first.tolist()):
            assert begin == next(n for n, (_, key) in enumerate(edges) if key == edges[row][1])
