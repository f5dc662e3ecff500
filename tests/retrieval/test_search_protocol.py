"""What every index must do: `isoglot.retrieval.search`, held against brute force."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isoglot.errors import InputError
from isoglot.records import Float32Array
from isoglot.retrieval.indexes import INDEXES
from isoglot.retrieval.search import SearchIndex
from isoglot.retrieval.ties import tie_positions
from tests.retrieval.clustered import LANGUAGES as SPOKEN
from tests.retrieval.clustered import Space

WIDTH = 3
LANGUAGES = ("de", "en", "sw")
ON_SERVER = "milvus-server"
BACKENDS: dict[str, dict[str, Any]] = {
    "exact": {},
    "faiss": {},
    "faiss-ivf": {"kind": "ivf"},
    "faiss-flat": {"kind": "flat"},
    "milvus": {},
    ON_SERVER: {},
}
"""Name of the test -> settings; the name of the index comes before the hyphen."""
ALL = [pytest.param(name, marks=pytest.mark.slow) if name == ON_SERVER else name for name in BACKENDS]
EXAMPLES = {"milvus": 12, ON_SERVER: 3}
Make = Callable[..., SearchIndex]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Opens a new index of one of the backends, with further settings. What it leaves behind goes with the module."""
    root, collections = tmp_path_factory.mktemp("indexes"), []

    def opened(name: str, **further: Any) -> SearchIndex:
        if name == ON_SERVER:
            collections.append(f"test_{secrets.token_hex(6)}")
            further = {"uri": request.getfixturevalue("milvus_server"), "collection": collections[-1], **further}
        elif name == "milvus":
            further = {"uri": str(root / f"{secrets.token_hex(6)}.db"), **further}
        return INDEXES[name.partition("-")[0]](**{**BACKENDS[name], **further}).open()

    yield opened
    if collections and (
        own := os.environ.get("ISOGLOT_MILVUS_URI")
    ):  # a server that was started for the module is gone
        from pymilvus import MilvusClient

        client = MilvusClient(own)
        for collection in collections:
            client.drop_collection(collection)


@pytest.fixture(params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def index(name: str, make: Make) -> Iterator[SearchIndex]:
    made = make(name)
    yield made
    made.close()


def test_every_registered_index_is_held_to_this() -> None:
    assert {name.partition("-")[0] for name in BACKENDS} == set(INDEXES.names())


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


def test_filters_come_before_k(index: SearchIndex) -> None:
    fill(index)
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"languages": ["de"]}, ["a", "c"]),
        ({"languages": ["sw", "en"]}, ["b", "d"]),
        ({"languages": []}, []),
        ({"languages": ["fr"]}, []),
        ({"where": {"year": 2}}, ["b", "c"]),
        ({"where": {"year": [1, 2]}}, ["a", "b", "c"]),
        ({"where": {"year": []}}, []),
        ({"languages": ["de"], "where": {"year": 2}}, ["c"]),
        ({"where": {"colour": "red"}}, []),
    ]
    for filters, expected in cases:
        assert index.search(vectors([1, 0, 0]), 4, **filters).ids == [expected], filters
        assert index.search(vectors([1, 0, 0]), 1, **filters).ids == [expected[:1]], filters


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


@pytest.mark.parametrize("name", ALL)
def test_any_history_gives_what_brute_force_gives(name: str, make: Make) -> None:
    @settings(
        max_examples=EXAMPLES.get(name, 60), deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(steps=steps, query=st.lists(st.integers(-2, 2), min_size=WIDTH, max_size=WIDTH))
    def check(steps: list[Any], query: list[int]) -> None:
        index = make(name)
        try:
            _run(index, steps, query, is_exact=name != ON_SERVER)
        finally:
            index.close()

    check()


def _run(index: SearchIndex, steps: list[Any], query: list[int], *, is_exact: bool) -> None:
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
            assert hits.scores[0].tolist() == [score[key] for key in best]
            if is_exact:
                assert hits.ids == [best]
            else:  # which of the documents that tie with the last one are found is the server's affair
                assert [score[key] for key in hits.ids[0]] == [score[key] for key in best]
        assert index.count() == len(held)


ODD_VALUES = (
    *(1, True, 1.0, 0, False, -1, 2.5, 1e-7, 1e300, 2**53, 2**53 + 1, float(2**53), -(2**63) + 1),
    *(
        "1",
        "True",
        "",
        " ",
        "a",
        "A",
        'a"b',
        "a'b",
        "a\\b",
        "a\\",
        "a\nb",
        "\x00",
        "\x01",
        "{a}",
        "%",
        "a%",
        "_",
        "ä",
        "日本",
        "🙂",
        "\u2028",
    ),
)
ODD_KEYS = ("", "a", "a b", 'a"b', "a'b", "a\\b", "a/b", "a~1b", "a][b", "$meta", "id", "lang", "日本", "a\nb", "a.b")


def test_values_are_what_python_takes_them_for(index: SearchIndex) -> None:
    ids = [f"d{number}" for number in range(len(ODD_VALUES))]
    rows = np.tile(vectors([1, 0, 0]), (len(ids), 1))
    index.add(ids, rows, [{"key": value} for value in ODD_VALUES])
    for wanted in ODD_VALUES:
        expected = {key for key, value in zip(ids, ODD_VALUES) if value == wanted}
        assert set(index.search(vectors([1, 0, 0]), 99, where={"key": wanted}).ids[0]) == expected, wanted
    some = ["a", 1, "日本"]
    expected = {key for key, value in zip(ids, ODD_VALUES) if value in some}
    assert set(index.search(vectors([1, 0, 0]), 99, where={"key": some}).ids[0]) == expected


def test_any_key_and_any_id(index: SearchIndex) -> None:
    ids = [str(value) for value in dict.fromkeys(map(str, (*ODD_VALUES, *ODD_KEYS)))]
    abouts = [{ODD_KEYS[number]: "x"} if number < len(ODD_KEYS) else {} for number in range(len(ids))]
    index.add(ids, np.tile(vectors([1, 0, 0]), (len(ids), 1)), abouts)
    assert index.count() == len(ids)
    for key, own in zip(ODD_KEYS, ids):
        assert index.search(vectors([1, 0, 0]), 99, where={key: "x"}).ids == [[own]], key
    with pytest.raises(InputError, match="is in the index"):
        index.add([ids[-1]], vectors([1, 0, 0]))
    assert index.delete(ids[1:]) == len(ids) - 1
    assert index.search(vectors([1, 0, 0]), 99).ids == [ids[:1]]


def test_languages_that_are_no_codes(index: SearchIndex) -> None:
    codes = ["de", "zh-Hant", "zh_Hant", "", "日本", 'd"e', "x" * 100]
    index.add(
        [f"d{i}" for i in range(len(codes))], np.tile(vectors([1, 0, 0]), (len(codes), 1)), [{"lang": c} for c in codes]
    )
    index.add(["none"], vectors([1, 0, 0]))
    for number, code in enumerate(codes):
        assert index.search(vectors([1, 0, 0]), 9, languages=[code]).ids == [[f"d{number}"]], code
    found = index.search(vectors([1, 0, 0]), 9, languages=["zh_Hant", "de", "fr"]).ids[0]
    assert set(found) == {"d0", "d2"}
    assert index.search(vectors([1, 0, 0]), 9, languages=["de"], where={"lang": ["de", "en"]}).ids == [["d0"]]
    assert index.search(vectors([1, 0, 0]), 9, languages=["de"], where={"lang": "zh_Hant"}).ids == [[]]
    assert len(index.search(vectors([1, 0, 0]), 9).ids[0]) == len(codes) + 1


def test_refused_metadata_and_filters(index: SearchIndex) -> None:
    row = vectors([1, 0, 0])
    for ids, about, message in (
        (["x"], {"key": [1]}, r"metadata of 'x': 'key' is \[1\]; expected a text"),
        (["x"], {"key": float("nan")}, "'key' is nan"),
        (["x"], {"key": 1 << 63}, "64-bit"),
        (["x"], {"key": "\ud800"}, "expected a text"),
        ([1], {}, "id 1 is no text"),
        (["\ud800"], {}, "is no text"),
    ):
        with pytest.raises(InputError, match=message):
            index.add(ids, row, [about])  # type: ignore[list-item]
    assert index.count() == 0
    index.add(["a"], row, [{"key": None, "other": 1}])  # type: ignore[dict-item]
    assert index.search(row, 1, where={"other": 1}).ids == [["a"]]
    for unknown in (None, ["a", None], {"a": 1}):
        with pytest.raises(InputError, match="filter 'key': expected texts, numbers, true or false"):
            index.search(row, 1, where={"key": unknown})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="no array of numbers"):
        index.search([["a"]], 1)  # type: ignore[arg-type]


def test_no_queries_and_no_documents(index: SearchIndex) -> None:
    index.add([], np.empty((0, 3), dtype=np.float32), [])
    assert (index.count(), index.search(vectors([1, 0, 0]), 5).ids, index.delete(["a"])) == (0, [[]], 0)
    assert index.search(vectors([1, 0, 0]), 5, languages=["de"], where={"year": 1}).ids == [[]]
    fill(index)
    assert index.search(np.empty((0, 3), dtype=np.float32), 5).ids == []
    assert index.search(vectors([1, 0, 0]).astype(np.float16), 1).ids == [["a"]]


FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "2%": {"where": {"fiftieth": 7}},
    "10%": {"where": {"tenth": 3}},
    "30%": {"where": {"tenth": [0, 4, 5]}},
    "60%": {"where": {"tenth": [0, 1, 4, 5, 7, 9]}},
    "one language": {"languages": ["sw"]},
    "three languages": {"languages": ["sw", "de", "zh"]},
    "10% of one language": {"languages": ["de"], "where": {"tenth": 1}},
}
DEPTHS = {
    "faiss": {"exact_below": 100},
    "faiss-ivf": {"exact_below": 100},
    "milvus": {},
    ON_SERVER: {},
    "milvus-server-ivf": {"kind": "ivf", "nlist": 128},
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if ON_SERVER in n else n for n in DEPTHS])
def test_few_of_the_best_are_missed_behind_any_filter(name: str, make: Make) -> None:
    """Vectors that lie by topic and language, asked for in all languages: recall@10 of at least 0.98."""
    documents, width = 4_000 if name == "milvus" else 12_000, 64
    space = Space.make(documents, width)
    rows, language = space.draw(documents, 1)
    queries, _ = space.draw(100, 2)
    random = np.random.default_rng(3)
    tenths, fiftieths = random.integers(0, 10, documents).tolist(), random.integers(0, 50, documents).tolist()
    about = [
        {"lang": SPOKEN[code], "tenth": tenth, "fiftieth": fiftieth}
        for code, tenth, fiftieth in zip(language.tolist(), tenths, fiftieths)
    ]
    reference, index = make("exact"), make(name.replace("-server-ivf", "-server"), **DEPTHS[name])
    for one in (reference, index):
        one.add([f"d{number}" for number in range(documents)], rows, about)
    index.finish()
    for label, filters in FILTERS.items():
        expected, found = reference.search(queries, 10, **filters), index.search(queries, 10, **filters)
        recall = np.mean([len({*a} & {*b}) / len(b) for a, b in zip(found.ids, expected.ids)])
        assert recall >= 0.98, (label, recall)
        assert [len(keys) for keys in found.ids] == [len(keys) for keys in expected.ids], label
    index.close()
