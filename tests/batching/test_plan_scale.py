"""Plans stay what they were: digests of batches of earlier versions, large domains, parts of a batch."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from isoglot.batching.permutation import Permutation, _Cache, _mix, _sequence
from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.data.pairs.index import DealOrder, PairIndex, deal_order


def make_index(n: int, languages: tuple[str, ...], n_sources: int, seed: int, grouped: bool) -> PairIndex:
    """Random rows, sources and groups; a tenth of the cells is missing."""
    random = np.random.RandomState(seed)  # whose stream never changes
    there = random.random_sample((n, len(languages))) >= 0.1
    there[np.arange(n), random.randint(0, len(languages), n)] = True
    rows = np.full(there.shape, -1, dtype=np.int64)
    rows[there] = random.permutation(int(there.sum()))
    group = np.arange(n)
    if grouped:
        group = random.permutation(np.repeat(group, np.minimum(random.geometric(0.6, n), 6))[:n])
        _, group = np.unique(group, return_inverse=True)
    source = random.randint(0, n_sources, n)
    return PairIndex(languages, tuple(f"s{i}" for i in range(n_sources)), rows, source, group)


def digest(plan: BatchPlan) -> str:
    found = hashlib.sha256()
    for step in (*range(40), 9000, 4096, 4095, 100_000):
        batch = plan[step]
        found.update(batch.query_rows.tobytes() + batch.passage_rows.tobytes())
        found.update(f"{batch.step} {batch.kind} {batch.source} {batch.language}".encode())
    return found.hexdigest()[:24]


@pytest.mark.parametrize(
    ("n", "n_sources", "grouped", "size", "expected"),
    [
        (2_000, 2, True, 16, "662b09e5fea1691630a0c2e7"),
        (2_000, 1, False, 31, "a2d47fbffa1dde0504904165"),
        (100_000, 1, True, 1000, "e445dee4ef567684f6b24fd6"),
    ],
)
def test_a_seed_gives_the_batches_that_it_always_gave(
    n: int, n_sources: int, grouped: bool, size: int, expected: str
) -> None:
    """The digests were made before plans were made fast. Where one changes, runs can no longer be repeated or resumed."""
    index = make_index(n, ("de", "en", "zh"), n_sources, 7, grouped)
    assert digest(BatchPlan(index, PlanSettings(batch_size=size, seed=5))) == expected


def test_narrow_arrays_give_the_same_batches() -> None:
    index = make_index(3000, ("de", "en", "zh"), 2, 1, True)
    narrow = PairIndex(
        index.languages,
        index.sources,
        index.rows.astype(np.int32),
        index.source.astype(np.int32),
        index.group.astype(np.int32),
    )
    one, two = (BatchPlan(part, PlanSettings(batch_size=64)) for part in (index, narrow))
    assert digest(one) == digest(two)
    assert two[3].query_rows.dtype == np.int64


def test_deal_order_is_by_size_of_group_then_group_then_pair() -> None:
    random = np.random.default_rng(0)
    group = random.integers(0, 60, 300)
    pairs = np.flatnonzero(random.random(300) < 0.6)
    order = deal_order(pairs, group)
    _, member = np.unique(group[pairs], return_inverse=True)
    sizes = np.bincount(member)
    assert np.array_equal(order.pairs, pairs[np.lexsort((member, sizes[member]))])
    assert dict(zip(order.class_sizes.tolist(), order.class_counts.tolist())) == {
        size: int((sizes == size).sum()) for size in set(sizes.tolist())
    }
    assert order.n_groups == len(sizes)
    nothing = deal_order(pairs[:0], group)
    assert isinstance(nothing, DealOrder)
    assert (len(nothing.pairs), nothing.n_groups) == (0, 0)


def test_pairs_of_a_batch_and_of_its_parts() -> None:
    index = make_index(500, ("de", "en", "zh"), 1, 2, True)
    plan = BatchPlan(index, PlanSettings(batch_size=32))
    owner = {int(row): pair for pair, rows in enumerate(index.rows) for row in rows if row >= 0}
    for step in range(30):
        batch = plan[step]
        assert batch.queries.pairs.tolist() == [owner[row] for row in batch.query_rows.tolist()]
        part = batch.part(1, 4)
        assert part.passages.pairs.tolist() == [owner[row] for row in part.passage_rows.tolist()]


@pytest.mark.parametrize("n", [1, 2, 65_536, 65_537, (1 << 20) + 1, 40_000_000, 1 << 32, (1 << 32) + 1, 10**12])
def test_permutations_are_a_feistel_network_with_cycle_walking(n: int) -> None:
    """Against a plain implementation, one number at a time."""
    positions = np.unique(np.concatenate([np.arange(min(n, 20)), np.random.default_rng(0).integers(0, n, 30)]))
    values = Permutation(n, 3, 1)(positions)
    assert values.dtype == np.int64
    assert len(np.unique(values)) == len(positions)
    assert 0 <= values.min() <= values.max() < n
    assert [Permutation(n, 3, 1).at(int(place)) for place in positions] == values.tolist()
    if n <= 65_536:
        return
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = _sequence((3, 1)).generate_state(6, dtype=np.uint64)

    def encrypt(value: int) -> int:
        left, right = value >> half, value & ((1 << half) - 1)
        for key in keys:
            left, right = right, left ^ (int(_mix(np.array([right], dtype=np.uint64) ^ key)[0]) & ((1 << half) - 1))
        return (left << half) | right

    for place, value in zip(positions.tolist(), values.tolist()):
        answer = encrypt(place)
        while answer >= n:
            answer = encrypt(answer)
        assert answer == value


def test_the_cache_of_tables_is_bounded_and_drops_the_oldest_use() -> None:
    cache = _Cache(limit=100)
    made = []

    def get(key: str) -> None:
        def make() -> np.ndarray:
            made.append(key)
            return np.zeros(20, dtype=np.uint16)

        assert len(cache.get(key, make)) == 20

    for key in "abaca":
        get(key)
    assert "".join(made) == "abc"  # b was dropped for c, a was in use
    get("b")
    get("a")
    assert "".join(made) == "abcb"
