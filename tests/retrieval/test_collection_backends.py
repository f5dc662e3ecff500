"""Collections whose vectors are searched by faiss or Milvus: what is found, while another process indexes, after damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isoglot.errors import InputError
from isoglot.retrieval.collection import Collection, Searcher
from isoglot.retrieval.collection.settings import CollectionSettings
from isoglot.retrieval.indexes.milvus import Milvus
from isoglot.retrieval.indexes.milvus_collection import MilvusCollection
from tests.retrieval.test_collection import made, rows, search, text_of

Zoo = Callable[[str], Path]
BACKENDS: dict[str, dict[str, Any]] = {
    "faiss": {"name": "faiss"},
    "faiss-graph": {"name": "faiss", "exact_below": 0},
    "milvus": {"name": "milvus"},
}


@pytest.fixture
def model(zoo: Zoo) -> str:
    return str(zoo("mean"))


@pytest.fixture(params=BACKENDS)
def asked(request: pytest.FixtureRequest) -> CollectionSettings:
    return CollectionSettings(backend=BACKENDS[request.param])


def found(path: Path, n: int = 5, **filters: Any) -> list[list[tuple[str, float]]]:
    with Collection.open(path) as collection, Searcher(collection) as searcher:
        answers = searcher.search([text_of(number) for number in range(8)], n, sentences=False, **filters)
    return [[(hit.id, round(hit.score, 5)) for hit in answer.hits] for answer in answers]


def test_what_exact_search_finds(tmp_path: Path, model: str, asked: CollectionSettings) -> None:
    for folder, settings in (("exact", None), ("other", asked)):
        (tmp_path / folder).mkdir()
        made(tmp_path / folder, model, rows(40), asked=settings)
    steps: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
        (rows(40), {}),
        ([*rows(10), *rows(60)[30:]], {}),  # 20 more
        ([{**row, "text": text_of(500 + i)} for i, row in enumerate(rows(20))], {}),  # others under the same ids
        (rows(9), {"mirror": True}),
    ]
    for documents, options in steps:
        for folder in ("exact", "other"):
            made(tmp_path / folder, model, documents, **options)
        paths = [tmp_path / folder / "index" for folder in ("exact", "other")]
        for filters in ({}, {"languages": ["th"]}, {"where": {"topic": "odd"}}, {"fairness": "round-robin"}):
            expected, others = (found(path, **filters) for path in paths)  # type: ignore[arg-type]
            assert others == expected, filters


def test_a_faiss_index_is_read_while_another_process_writes(tmp_path: Path, model: str) -> None:
    made(tmp_path, model, rows(9), asked=CollectionSettings(backend="faiss"))
    path = tmp_path / "index"
    (kept,) = (path / "backends").glob("*.faiss")
    with Collection.open(path) as collection, Searcher(collection) as searcher:
        made(tmp_path, model, rows(12))  # not hindered by the searcher
        before = (kept / "index.json").read_text()
        assert searcher.refresh()
        assert searcher.search([text_of(11)], 1)[0].hits[0].id == "d11"
    assert (kept / "index.json").read_text() == before  # nor does the searcher write
    (kept / "part-0.faiss").write_bytes(b"damaged")
    assert search(path, text_of(11), 1).hits[0].id == "d11"
    made(tmp_path, model, rows(13))
    assert search(path, text_of(12), 1).hits[0].id == "d12"
    assert (kept / "index.json").read_text() != before


def test_a_stopped_update_of_milvus_is_told_and_mended(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, model, rows(9), asked=CollectionSettings(backend="milvus"))
    path = tmp_path / "index"
    capsys.readouterr()

    def stopped(*_: Any) -> None:
        raise InputError("stopped here")

    with monkeypatch.context() as patch:
        patch.setattr(MilvusCollection, "insert", stopped)
        with pytest.raises(InputError, match="stopped here"):
            made(tmp_path, model, rows(12))
    assert [hit.id for hit in search(path, text_of(3), 1).hits] == ["d3"]
    assert "the index is not whole yet: isoglot index is at work, or was stopped" in capsys.readouterr().err
    made(tmp_path, model, rows(12))
    assert [hit.id for hit in search(path, text_of(11), 1).hits] == ["d11"]
    assert "the index" not in capsys.readouterr().err
    (file,) = (path / "backends").glob("*.db")
    reader = Milvus(uri=str(file)).open(to_write=False)
    with pytest.raises(InputError, match="was opened to be read"):
        reader.delete(["1"])
    reader.close()
