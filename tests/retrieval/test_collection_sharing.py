"""A collection that is searched while another process changes it: an answer is of one state of it, old or new."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from isoglot.errors import InputError
from isoglot.retrieval.collection import Collection, Searcher, state
from isoglot.retrieval.collection.documents import DATABASE, Documents
from isoglot.retrieval.collection.models import encoder, load_entry
from isoglot.retrieval.collection.settings import CollectionSettings
from isoglot.retrieval.collection.vectors import Vectors
from isoglot.retrieval.indexes.faiss_files import Keeper
from tests.retrieval.test_collection import made, rows, search, text_of

Zoo = Callable[[str], Path]


@pytest.fixture
def model(zoo: Zoo) -> str:
    return str(zoo("mean"))


def version(number: int) -> list[dict[str, Any]]:
    return [{**row, "text": text_of(100 * number + i), "version": number} for i, row in enumerate(rows(9))]


@pytest.mark.parametrize("options", [{}, {"hybrid": True}, {"fairness": "standardised"}, {"fairness": "quota"}])
def test_what_is_replaced_during_a_search_is_found_as_it_was_or_as_it_is(
    tmp_path: Path, model: str, options: dict[str, Any]
) -> None:
    made(tmp_path, model, version(0))
    wanted = [2, 1]

    with Collection.open(tmp_path / "index") as collection:
        encode = encoder(load_entry(next(iter(collection.models.values()))))

        def encoding(texts: Any, kind: Any) -> Any:
            while wanted:  # after the searcher has looked at the collection, before it ranks
                made(tmp_path, model, version(wanted.pop()))
            return encode(texts, kind)

        with Searcher(collection, encode=encoding) as searcher:
            hits = searcher.search([text_of(0)], 20, sentences=False, **options)[0].hits
    assert len(hits) == 9
    assert {hit.metadata["version"] for hit in hits} == {2}


def test_shards_that_are_merged_while_they_are_opened_are_opened_again(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, model, rows(9))
    made(tmp_path, model, version(1)[:8], mirror=True)
    listed: list[Path] = []

    class Merged(Vectors):
        def _take(self, keys: Path, rows: Path) -> None:
            if not listed:
                listed.extend((keys, rows))
                with closing(Documents(tmp_path / "index")) as documents:
                    monkeypatch.setattr("isoglot.retrieval.collection.vectors._MOST", 0)
                    Vectors(self._directory).tidy(documents.keys()[1])
            super()._take(keys, rows)

    monkeypatch.setattr(state, "Vectors", Merged)
    monkeypatch.setattr("isoglot.retrieval.collection.searcher._PAUSE", 0)
    assert search(tmp_path / "index", text_of(103), 1).hits[0].id == "d3"
    assert listed
    assert not any(path.exists() for path in listed)
    assert "damaged" not in capsys.readouterr().err


def test_everything_that_is_read_at_one_moment_is_of_it(tmp_path: Path, model: str) -> None:
    made(tmp_path, model, rows(9))
    with closing(Documents(tmp_path / "index")) as documents:
        with documents.at_one_moment():
            before = documents.generation()
            made(tmp_path, model, rows(12))
            assert documents.generation() == before
            assert documents.counts().documents == 9
        assert documents.counts().documents == 12


def test_an_index_that_is_being_made_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    with pytest.raises(InputError, match=r"no index is there yet: isoglot index is beginning"):
        Collection.open(tmp_path)


def test_a_faiss_index_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    made(tmp_path, model, rows(9), asked=CollectionSettings(backend="faiss"))
    real, wanted = Keeper._read, [12]

    def read(self: Keeper, record: dict[str, Any]) -> Any:
        parts = real(self, record)
        while wanted:
            made(tmp_path, model, rows(wanted.pop()))
        return parts

    with Collection.open(tmp_path / "index") as collection:
        encode = encoder(load_entry(next(iter(collection.models.values()))))
        monkeypatch.setattr(Keeper, "_read", read)
        with Searcher(collection, encode=encode) as searcher:
            assert len(searcher._backend.index.ids()) == 12
            assert len(searcher.search([text_of(0)], 20, sentences=False)[0].hits) == 12


def test_an_index_that_cannot_be_written_is_searched_and_never_beside_a_change(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, model, version(0))
    monkeypatch.setattr("isoglot.retrieval.collection.documents.os.access", lambda *_: False)
    before = sorted(path.name for path in (tmp_path / "index").iterdir())
    assert len(search(tmp_path / "index", text_of(0), 20).hits) == 9
    assert before == sorted(path.name for path in (tmp_path / "index").iterdir()), "SQLite's own files are not made"
    with closing(Documents(tmp_path / "index")) as documents:
        made(tmp_path, model, version(1))
        with pytest.raises(InputError, match="was changed from elsewhere"):
            documents.counts()
    with closing(Documents(tmp_path / "index", write=True)) as writer:
        writer.keep("fact", 1)  # is in the log until the writer closes it
        with closing(Documents(tmp_path / "index")) as documents:
            assert documents.fact("fact") == 1
        (tmp_path / "index" / f"{DATABASE}-shm").unlink()
        with pytest.raises(InputError, match="a writer was killed here"):
            Documents(tmp_path / "index")
