"""Vectors from files, in both layouts, and every way in which they can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isoglot.errors import InputError
from isoglot.evaluation.external import export_texts, load_embeddings
from isoglot.records import Benchmark, Float32Array
from tests.evaluation.exports import coarse, toy

Rows = dict[tuple[str, str], tuple[list[str], Float32Array]]


def rows_of(benchmark: Benchmark) -> Rows:
    """(side, language) -> ids and vectors, in the benchmark's order."""
    model = coarse(benchmark)
    found: Rows = {}
    for side, part, vectors in (
        ("queries", benchmark.queries, model.queries),
        ("corpus", benchmark.corpus, model.documents),
    ):
        start = 0
        for lang, texts in part.items():
            found[side, lang] = (list(texts.ids), vectors[start : start + len(texts)])
            start += len(texts)
    return found


def write_npy(home: Path, rows: Rows) -> None:
    for (side, lang), (_, vectors) in rows.items():
        (home / side).mkdir(parents=True, exist_ok=True)
        np.save(home / side / f"{lang}.npy", vectors)


def write_parquet(path: Path, ids: list[str | None], vectors: list[list[float] | None], kind: pa.DataType) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": pa.array(ids, pa.string()), "embedding": pa.array(vectors, kind)}), path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_npy(tmp_path, rows_of(toy()))
    return tmp_path


def test_npy_gives_unit_vectors_in_pooled_order(home: Path) -> None:
    benchmark = toy()
    model, found = coarse(benchmark), load_embeddings(home, benchmark)
    for mine, theirs in ((model.queries, found.queries), (model.documents, found.documents)):
        assert theirs.dtype == np.float32
        np.testing.assert_allclose(theirs, mine / np.linalg.norm(mine, axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.large_list(pa.float16()), pa.list_(pa.float32(), 8)]
)
def test_parquet_in_any_order_is_the_same(home: Path, kind: pa.DataType) -> None:
    benchmark = toy()
    before = load_embeddings(home, benchmark)
    for (side, lang), (ids, vectors) in rows_of(benchmark).items():
        (home / side / f"{lang}.npy").unlink()
        order = np.random.default_rng(1).permutation(len(ids)).tolist()
        shuffled = [
            vectors[i].astype(np.float16).tolist() if "half" in str(kind) else vectors[i].tolist() for i in order
        ]
        # an id that the benchmark does not have is passed over
        write_parquet(
            home / side / f"{lang}.parquet", ["other", *(ids[i] for i in order)], [[9.0] * 8, *shuffled], kind
        )
    after = load_embeddings(home, benchmark)
    np.testing.assert_array_equal(before.queries, after.queries)
    np.testing.assert_array_equal(before.documents, after.documents)


def change(index: int, value: float) -> Callable[[Float32Array], Float32Array]:
    def apply(vectors: Float32Array) -> Float32Array:
        vectors[index] = value
        return vectors

    return apply


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda v: v[:-1], r"corpus/en.npy: 19 rows for the 20 texts of this language"),
        (lambda v: v[:, :-1], r"corpus/en.npy: vectors of width 7; those before it have 8"),
        (lambda v: v[:, 0], r"corpus/en.npy: shape \(20,\); expected \(20, d\)"),
        (lambda v: v.astype(np.complex64), r"corpus/en.npy: complex64; expected numbers of float16"),
        (lambda v: (v > 0).astype(np.uint8), r"corpus/en.npy: uint8; .* float64: whole numbers are .* packed bits"),
        (lambda v: v.astype(np.int8), r"corpus/en.npy: int8; expected numbers of float16, float32 or float64"),
        (change(3, np.nan), r"corpus/en.npy: the vector of 'en:3' has NaN or infinity in it"),
        (change(4, 0.0), r"corpus/en.npy: the vector of 'en:4' is zero"),
    ],
)
def test_bad_npy(home: Path, edit: Callable[[Float32Array], Float32Array], message: str) -> None:
    path = home / "corpus" / "en.npy"
    np.save(path, edit(np.load(path)))
    with pytest.raises(InputError, match=message):
        load_embeddings(home, toy())


def test_no_pickles_and_no_missing_files(home: Path) -> None:
    path = home / "queries" / "th.npy"
    np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"th.npy: not a .npy file, or damaged"):
        load_embeddings(home, toy())
    path.unlink()
    with pytest.raises(InputError, match=r"queries/th.npy \(or .parquet\): no such file"):
        load_embeddings(home, toy())
    with pytest.raises(InputError, match="no such directory"):
        load_embeddings(home / "none", toy())
    write_parquet(home / "queries" / "de.parquet", ["q1"], [[1.0]], pa.list_(pa.float32()))
    with pytest.raises(InputError, match=r"has both de.npy and de.parquet"):
        load_embeddings(home, toy())


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (["q0", "q1"], [[1.0], [2.0]], r"10 of 12 texts have no vector; the first is 'q2'"),
        (["q0", "q0"], [[1.0], [2.0]], r"de.parquet:2: id 'q0' occurs twice"),
        (["q0", None], [[1.0], [2.0]], r"de.parquet:2: no id"),
        (["q0", "q1"], [[1.0], None], r"de.parquet:2: no embedding"),
        (["q0", "q1"], [[1.0], [2.0, 1.0]], r"de.parquet:2: a vector of width 2; the one before it has 1"),
        (["q0", "q1"], [[], [1.0]], r"de.parquet:1: a vector without numbers"),
        ([], [], r"12 of 12 texts have no vector; the first is 'q0'"),
    ],
)
def test_bad_parquet(home: Path, ids: list[str | None], vectors: list[list[float] | None], message: str) -> None:
    (home / "queries" / "de.npy").unlink()
    write_parquet(home / "queries" / "de.parquet", ids, vectors, pa.list_(pa.float32()))
    with pytest.raises(InputError, match=message):
        load_embeddings(home, toy())


def test_parquet_columns(home: Path) -> None:
    path = home / "queries" / "de.parquet"
    (home / "queries" / "de.npy").unlink()
    pq.write_table(pa.table({"key": ["q0"], "embedding": [[1.0]]}), path)
    with pytest.raises(InputError, match="no column 'id'; it has key, embedding"):
        load_embeddings(home, toy())
    pq.write_table(pa.table({"id": ["q0"], "embedding": ["1.0"]}), path)
    with pytest.raises(
        InputError, match="column embedding is string; expected numbers of float16, float32 or float64 in lists"
    ):
        load_embeddings(home, toy())
    path.write_text("no")
    with pytest.raises(InputError, match="not a Parquet file"):
        load_embeddings(home, toy())


def test_texts_to_embed(tmp_path: Path) -> None:
    benchmark = toy()
    paths = export_texts(benchmark, tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in paths[2:4]] == ["queries/th.jsonl", "corpus/de.jsonl"]
    lines = [json.loads(line) for line in (tmp_path / "queries" / "en.jsonl").read_text().splitlines()]
    assert lines[0] == {"_id": "q2", "text": "en question 2"}
    assert len(lines) == 10


def test_texts_whose_directory_has_gone_meanwhile_are_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move(*_: Any) -> None:
        if (tmp_path / "out").is_dir():
            (tmp_path / "out").rename(tmp_path / "elsewhere")

    monkeypatch.setattr("isoglot.evaluation.external.write_jsonl", move)
    with pytest.raises(InputError, match="out: has gone while it was written"):
        export_texts(toy(), tmp_path / "out")


def test_an_array_that_is_longer_than_its_header_says_is_refused(tmp_path: Path) -> None:
    from isoglot.data.readers import read_array

    path = tmp_path / "vectors.npy"
    np.save(path, np.ones((4, 3), dtype=np.float32))
    assert read_array(path).shape == (4, 3)
    with path.open("ab") as file:
        file.write(bytes(12))
    with pytest.raises(InputError, match=r"vectors.npy: damaged: 12 bytes more than its header says \(shape \(4, 3\)"):
        read_array(path)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (pa.array([2**31 - 1, 0], pa.date32()), r"column text is date32\[day\]; expected strings"),
        (pa.array([["a"], ["b"]]), "column text is list<.*>; expected strings"),
        (pa.array([b"a", b"\xff"]), "column text: .*UTF8"),
        (pa.array([1, 2]), "column text is int64; expected strings"),
        (pa.array(["a", "b"]).dictionary_encode(), ""),
        (pa.array([b"a", b"b"]), ""),
    ],
)
def test_a_column_of_strings_is_one_or_refused_in_a_line(ids: pa.Array, message: str, tmp_path: Path) -> None:
    from isoglot.data.readers import string_column

    path, table = tmp_path / "t.parquet", pa.table({"text": ids})
    if not message:
        assert string_column(path, table, "text").to_pylist() == ["a", "b"]
        return
    with pytest.raises(InputError, match=f"t.parquet: {message}"):
        string_column(path, table, "text")
    if ids.type == pa.int64():
        assert string_column(path, table, "text", or_numbers=True).to_pylist() == [1, 2]
