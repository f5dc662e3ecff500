"""What every index must do: `isoglot.retrieval.search`, held against brute force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoglot.errors import InputError
from isoglot.records import Float32Array
from isoglot.retrieval.indexes import INDEXES
from isoglot.retrieval.search import SearchIndex
from isoglot.retrieval.ties import tie_positions

WIDTH = 3
LANGUAGES = ("de", "en", "sw")


@pytest.fixture(params=INDEXES.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def index(name: str) -> Iterator[SearchIndex]:
    made = INDEXES[name]().open()
    yield made
    made.close()


def vectors(*rows: list[float]) -> Float32Array:
    return np.array(rows, dtype=np.float32)


def fill(index: SearchIndex) -> None:
    index.add(
        ["a", "b", "c", "d"],
        vectors([1, 0, 0], [0.8, 0, 0], [0.6, 0, 0], [-1, 0, 0]),
        [{"lang": "de", "year": 1}, {"lang": "en", "year": 2}, {"lang": "de", "year": 2}, {"lang": "sw"}],
    )


def test_best_first(index: SearchIndex) -> None:
    fill(index)
    hits = index.search(vectors([1, 0, 0], [-1, 0, 0]), 2)
    assert hits.ids == [["a", "b"], ["d", "c"]]
    assert hits.scores[0].tolist() == pytest.approx([1, 0.8])
    assert hits.scores[0].dtype == np.float32
    assert index.count() == 4
    assert index.search(vectors([1, 0, 0]), 100).ids == [["a", "b", "c", "d"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"languages": ["de"]}, ["a", "c"]),
        ({"languages": ["sw", "en"]}, ["b", "d"]),
        ({"languages": []}, []),
        ({"languages": ["fr"]}, []),
        ({"where": {"year": 2}}, ["b", "c"]),
        ({"where": {"year": [1, 2]}}, ["a", "b", "c"]),
        ({"languages": ["de"], "where": {"year": 2}}, ["c"]),
        ({"where": {"colour": "red"}}, []),
    ],
)
def test_filters_come_before_k(index: SearchIndex, filters: dict[str, Any], expected: list[str]) -> None:
    fill(index)
    assert index.search(vectors([1, 0, 0]), 4, **filters).ids == [expected]
    assert index.search(vectors([1, 0, 0]), 1, **filters).ids == [expected[:1]]


def test_delete_and_add_again(index: SearchIndex) -> None:
    fill(index)
    assert index.delete(["a", "nothing", "a"]) == 1
    assert (index.count(), index.search(vectors([1, 0, 0]), 1).ids) == (3, [["b"]])
    index.add(["a"], vectors([0.7, 0, 0]))
    assert index.search(vectors([1, 0, 0]), 2).ids == [["b", "a"]]
    assert index.delete(["a", "b", "c", "d"]) == 4
    assert (index.count(), index.search(vectors([1, 0, 0]), 3).ids) == (0, [[]])


def test_what_was_passed_in_is_copied(index: SearchIndex) -> None:
    given_vectors, metadata = vectors([1, 0, 0]), {"lang": "de"}
    index.add(["a"], given_vectors, [metadata])
    given_vectors[:] = 0
    metadata["lang"] = "en"
    hits = index.search(vectors([1, 0, 0]), 1, languages=["de"])
    assert (hits.ids, hits.scores[0].tolist()) == ([["a"]], [1])


def test_refusals_leave_everything_as_it_was(index: SearchIndex) -> None:
    fill(index)
    for ids, rows, message in (
        (["x", "x"], vectors([0, 0, 0], [0, 0, 0]), "id 'x' occurs twice"),
        (["x", "a"], vectors([0, 0, 0], [0, 0, 0]), "id 'a' is in the index; delete it first"),
        (["x"], vectors([0, 0]), r"shape \(1, 2\); expected \(n, 3\)"),
        (["x"], vectors([0, 0, float("nan")]), "NaN or infinity"),
        (["x", "y"], vectors([0, 0, 0]), "2 ids, 1 vectors"),
    ):
        with pytest.raises(InputError, match=message):
            index.add(ids, rows)
        assert index.count() == 4
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        index.search(vectors([1, 0, 0]), 0)
    with pytest.raises(InputError, match=r"expected \(n, 3\)"):
        index.search(vectors([1, 0]), 1)


def test_closed(index: SearchIndex) -> None:
    fill(index)
    index.close()
    index.close()
    with pytest.raises(InputError, match="the index is closed"):
        index.search(vectors([1, 0, 0]), 1)


# small whole numbers: scores are exact in float32, and many of them tie
document = st.tuples(st.lists(st.integers(-2, 2), min_size=WIDTH, max_size=WIDTH), st.sampled_from(LANGUAGES))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(document, max_size=8)),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 30), max_size=6)),
        st.tuples(st.just("search"), st.integers(1, 12), st.one_of(st.none(), st.lists(st.sampled_from(LANGUAGES)))),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps, query=st.lists(st.integers(-2, 2), min_size=WIDTH, max_size=WIDTH))
@pytest.mark.parametrize("name", INDEXES.names())
def test_any_history_gives_what_brute_force_gives(name: str, steps: list[Any], query: list[int]) -> None:
    index = INDEXES[name]().open()
    held: dict[str, tuple[list[int], str]] = {}
    made = 0
    for kind, *rest in steps:
        if kind == "add":
            fresh = {f"d{made + number}": row for number, row in enumerate(rest[0])}
            made += len(fresh)
            if fresh:
                rows = np.array([row for row, _ in fresh.values()], dtype=np.float32)
                index.add(list(fresh), rows, [{"lang": lang} for _, lang in fresh.values()])
            held |= fresh
        elif kind == "delete":
            ids = [f"d{number}" for number in rest[0]]
            assert index.delete(ids) == len(set(ids) & held.keys())
            held = {key: row for key, row in held.items() if key not in ids}
        else:
            k, languages = rest
            kept = [key for key, (_, lang) in held.items() if languages is None or lang in languages]
            place = dict(zip(kept, tie_positions(kept).tolist())) if kept else {}
            score = {key: float(np.dot(held[key][0], query)) for key in kept}
            best = sorted(kept, key=lambda key: (-score[key], place[key]))[:k]
            hits = index.search(np.array([query], dtype=np.float32), k, languages=languages)
            assert hits.ids == [best]
            assert hits.scores[0].tolist() == [score[key] for key in best]
        assert index.count() == len(held)
    index.close()
