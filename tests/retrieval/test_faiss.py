"""The index `faiss`: its directory, what happens to it, and its structures as they grow and shrink."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.records import Float32Array
from isoglot.retrieval.indexes.exact import ExactIndex
from isoglot.retrieval.indexes.faiss import Faiss, FaissIndex
from isoglot.retrieval.search import Hits
from tests.retrieval.clustered import LANGUAGES, Space

WIDTH = 32
SPACE = Space.make(4000, WIDTH)
QUERIES, _ = SPACE.draw(30, 9)


def drawn(n: int, seed: int = 1) -> tuple[list[str], Float32Array, list[dict[str, Any]]]:
    rows, language = SPACE.draw(n, seed, languages=3)
    ids = [f"{seed}-{number}" for number in range(n)]
    return ids, rows, [{"lang": LANGUAGES[code], "odd": number % 2} for number, code in enumerate(language.tolist())]


def recall(found: Hits, expected: Hits) -> float:
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in zip(found.ids, expected.ids)]))


def damaged(path: Path, name: str) -> None:
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:100] + b"x" + content[101:])


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_saved_and_opened_again(tmp_path: Path, kind: str) -> None:
    settings = Faiss(kind=kind, exact_below=200, path=str(tmp_path / "index"))
    index, reference = settings.open(), ExactIndex()
    ids, rows, about = drawn(1500)
    for one in (index, reference):
        one.add(ids, rows, about)
        one.delete(ids[::10])
    before = index.search(QUERIES, 10, where={"odd": 1})
    index.close()
    index = settings.open()
    after = index.search(QUERIES, 10, where={"odd": 1})
    assert (after.ids, index.count()) == (before.ids, 1350)
    assert recall(after, reference.search(QUERIES, 10, where={"odd": 1})) >= 0.98
    assert sorted(index.ids()) == sorted({*ids} - {*ids[::10]})
    more = drawn(300, 2)
    for one in (index, reference):
        one.add(*more)
    index.close()
    with pytest.raises(InputError, match="the index is closed"):
        index.add(*more)
    again = settings.open()
    expected = reference.search(QUERIES, 10)
    found = again.search(QUERIES, 10)
    assert recall(found, expected) >= 0.98
    for own, theirs, keys, others in zip(found.scores, expected.scores, found.ids, expected.ids):
        same = [key for key in keys if key in others]
        assert [own[keys.index(key)] for key in same] == [theirs[others.index(key)] for key in same]
    again.close()


def test_only_a_changed_index_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "index"
    Faiss(path=str(path)).open().close()
    assert not path.exists()
    index = Faiss(path=str(path)).open()
    index.add(*drawn(20))
    index.finish()
    stamp = json.loads((path / "index.json").read_text())["stamp"]
    index.close()
    copy = Faiss(path=str(path)).open(to_write=False)
    copy.delete(["1-3"])
    assert copy.count() == 19
    copy.close()
    assert json.loads((path / "index.json").read_text())["stamp"] == stamp
    assert Faiss(path=str(path)).open(fresh=True).count() == 0
    assert Faiss(path=str(path)).open().count() == 20
    assert not any(tmp_path.glob(".*")), "nothing temporary stays"


def _add_elsewhere(path: str) -> None:
    index = Faiss(path=path).open()
    index.add(*drawn(5, 7))
    index.close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "index")
    first, second = Faiss(path=path).open(), Faiss(path=path).open()
    first.add(*drawn(20))
    with pytest.raises(InputError, match="is being written by process"):
        second.add(*drawn(20))
    first.close()
    with pytest.raises(InputError, match="another process has changed it since it was opened; open it anew"):
        second.add(*drawn(20))
    second.close()
    reader = Faiss(path=path).open()
    process = multiprocessing.get_context("spawn").Process(target=_add_elsewhere, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert (reader.count(), Faiss(path=path).open().count()) == (20, 25)


def test_what_is_damaged_or_something_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "index"
    index = Faiss(path=str(path), kind="flat").open()
    index.add(*drawn(200))
    index.close()
    with pytest.raises(InputError, match=r"was built with kind=flat, m=32, ef_construction=128; open it with these"):
        Faiss(path=str(path)).open()
    for name in ("part-0.faiss", "documents.parquet"):
        whole = (path / name).read_bytes()
        damaged(path, name)
        with pytest.raises(InputError, match=f"{name}: is damaged or missing; delete the directory"):
            Faiss(path=str(path), kind="flat").open()
        (path / name).write_bytes(whole)
    (path / "index.json").write_text('{"format": 3}')
    with pytest.raises(InputError, match="is no record of a faiss index"):
        Faiss(path=str(path), kind="flat").open()
    fresh = Faiss(path=str(path), kind="flat").open(fresh=True)
    fresh.add(*drawn(3))
    fresh.close()
    assert Faiss(path=str(path), kind="flat").open().count() == 3
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-mother.txt").write_text("Dear mother")
    for own in ("letters", "letters/to-mother.txt"):
        for fresh_too in (False, True):
            with pytest.raises(InputError, match="holds something else than a faiss index"):
                Faiss(path=str(tmp_path / own)).open(fresh=fresh_too)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_structures_grow_and_shrink(kind: str) -> None:
    """Many small additions and deletions: fitted anew, built anew, and exact again when few are left."""
    index, reference = Faiss(kind=kind, exact_below=150).open(), ExactIndex()
    assert isinstance(index, FaissIndex)
    held: list[str] = []
    random = np.random.default_rng(5)

    def made() -> set[str]:
        return {part.made for part in (index._parts or {}).values()}

    seen = []
    for seed in range(10, 18):
        ids, rows, about = drawn(300, seed)
        gone = random.permutation(held)[: len(held) // 3].tolist()
        for one in (index, reference):
            one.add(ids, rows, about)
            assert one.delete(gone) == len(gone)
        held = [key for key in held if key not in set(gone)] + ids
        for filters in ({}, {"languages": ["de"]}, {"where": {"odd": 1}}):
            assert recall(index.search(QUERIES, 10, **filters), reference.search(QUERIES, 10, **filters)) >= 0.97  # type: ignore[arg-type]
        seen.append(made())
    assert seen[0] == {"flat"}
    assert seen[-1] == {kind}
    for one in (index, reference):
        one.delete(held[20:])
    assert index.search(QUERIES, 30).ids == reference.search(QUERIES, 30).ids
    assert made() == {"flat"}


def test_ties_and_near_ties_are_exact_where_documents_are_scored() -> None:
    """Hundreds of equal vectors and vectors that differ in the last bit: more than the candidates that are first asked for."""
    base = np.full((1, WIDTH), 0.1, dtype=np.float32)
    rows = np.repeat(base, 600, axis=0)
    rows[300:, 0] = np.nextafter(np.float32(0.1), np.float32(1))
    ids = [f"d{number}" for number in range(600)]
    index, reference = Faiss().open(), ExactIndex()
    for one in (index, reference):
        one.add(ids, rows)
    for k in (1, 7, 40, 600):
        assert index.search(base, k).ids == reference.search(base, k).ids


def test_a_graph_that_leads_nowhere_is_not_believed() -> None:
    """Two heaps far apart: the query lies in one, the filter lets half of the other pass. All k are found."""
    random = np.random.default_rng(0)
    heap = random.normal(size=(2, WIDTH)).astype(np.float32) * 3
    rows = np.repeat(heap, 1000, axis=0) + 0.1 * random.normal(size=(2000, WIDTH)).astype(np.float32)
    about = [{"heap": number // 1000, "half": number % 2} for number in range(2000)]
    index, reference = Faiss(exact_below=20, ef_search=10).open(), ExactIndex()
    for one in (index, reference):
        one.add([f"d{number}" for number in range(2000)], rows, about)
    filters = {"where": {"heap": 1, "half": 0}}
    found, expected = index.search(heap[:1], 10, **filters), reference.search(heap[:1], 10, **filters)  # type: ignore[arg-type]
    assert len(found.ids[0]) == 10
    assert recall(found, expected) >= 0.9


def test_beside_torch() -> None:
    """Both bring an OpenMP of their own; several threads of both, in turns, end and are right."""
    import faiss
    import torch

    before = (faiss.omp_get_max_threads(), torch.get_num_threads())
    faiss.omp_set_num_threads(2)
    torch.set_num_threads(2)
    try:
        index = Faiss(exact_below=10).open()
        ids, rows, about = drawn(400)
        square = torch.ones(300, 300)
        index.add(ids, rows, about)
        for _ in range(3):
            assert float((square @ square)[0, 0]) == 300
            assert [keys[0] for keys in index.search(rows[:50], 1).ids] == ids[:50]
    finally:
        faiss.omp_set_num_threads(before[0])
        torch.set_num_threads(before[1])


def test_settings_out_of_range() -> None:
    for given, message in (
        ({"kind": "tree"}, "kind"),
        ({"m": 2}, "m must be at least 4|m: "),
        ({"ef_search": 0}, "ef_search"),
    ):
        with pytest.raises(InputError, match=message):
            Faiss(**given)
