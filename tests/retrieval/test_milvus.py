"""The index `milvus`: files, addresses, what fails half-way; most of it by a file of Milvus Lite."""

from __future__ import annotations

import multiprocessing
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.retrieval.index_input import Condition
from isoglot.retrieval.indexes.milvus import Milvus, MilvusIndex
from isoglot.retrieval.indexes.milvus_collection import MilvusCollection
from isoglot.retrieval.indexes.milvus_connection import without_password
from isoglot.retrieval.indexes.milvus_rows import bucket_expressions, expression, tag
from isoglot.settings import to_dict

ROW = np.array([[1, 0, 0]], dtype=np.float32)


def several(n: int) -> tuple[list[str], Any, list[dict[str, Any]]]:
    return [f"d{number}" for number in range(n)], np.tile(ROW, (n, 1)), [{"lang": "de"}] * n


def test_a_file_keeps_what_it_was_given(tmp_path: Path) -> None:
    settings = Milvus(uri=str(tmp_path / "index.db"))
    index = settings.open()
    index.add(*several(3))
    index.close()
    index.close()
    with pytest.raises(InputError, match="the index is closed"):
        index.count()
    again = settings.open()
    assert (again.count(), len(again.search(ROW, 9, languages=["de"]).ids[0])) == (3, 3)
    with pytest.raises(InputError, match=r"expected \(n, 3\)"):
        again.add(["x"], np.ones((1, 4), dtype=np.float32))
    again.close()
    fresh = settings.open(fresh=True)
    assert fresh.count() == 0
    fresh.add(["x"], np.ones((1, 4), dtype=np.float32))  # of another width
    fresh.close()


def test_two_indexes_in_one_file(tmp_path: Path) -> None:
    first, second = (Milvus(uri=str(tmp_path / "index.db"), collection=name).open() for name in ("one", "two"))
    first.add(*several(3))
    first.close()
    assert second.count() == 0  # and the file is open still
    second.add(*several(2))
    second.close()
    assert Milvus(uri=str(tmp_path / "index.db"), collection="one").open().count() == 3


def _count(uri: str, answers: Any) -> None:
    try:
        index = Milvus(uri=uri).open()
        answers.put(index.count())
        index.close()
    except InputError as error:
        answers.put(str(error))


def test_another_process_is_told_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    uri = str(tmp_path / "index.db")
    index = Milvus(uri=uri).open()
    index.add(*several(3))
    context = multiprocessing.get_context("spawn")
    answers: Any = context.Queue()
    for expected in ("another process has it open, and Milvus Lite takes one at a time", "3"):
        process = context.Process(target=_count, args=(uri, answers))
        process.start()
        assert expected in str(answers.get(timeout=300))
        process.join()
        index.close()
    assert "Traceback" not in capfd.readouterr().err


def test_names_and_addresses_that_cannot_be(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.db").write_bytes(b"SQLite format 3")
    for uri, message in (
        (str(tmp_path / "index"), "a file of Milvus Lite ends in .db, and a server's address begins with http://"),
        (str(tmp_path / "none" / "index.db"), "there is no directory"),
        (str(tmp_path / "old.db"), "of an earlier version, perhaps"),
        ("http://me:secret@127.0.0.1:1", "^http://127.0.0.1:1: Fail connecting to server"),
        ("ftp://host", "ftp://host"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            Milvus(uri=uri, timeout=2).open()
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"needs the name of a file or the address of a server: uri=index.db"):
        Milvus().open()
    with pytest.raises(InputError, match="kind=hnsw: Milvus Lite then finds half"):
        Milvus(uri="index.db", kind="hnsw")
    with pytest.raises(InputError, match="collection"):
        Milvus(uri="index.db", collection="a b")
    assert "Traceback" not in capfd.readouterr().err
    assert without_password("https://host:19530/database") == "https://host:19530/database"


def test_a_password_is_not_written_anywhere() -> None:
    settings = Milvus(uri="http://host:19530", token="root:secret")
    assert "secret" not in f"{settings!r} {settings} {to_dict(settings)}"
    assert settings.at(Path("somewhere"), "model").token == "root:secret"


def test_collections_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    from pymilvus import MilvusClient

    uri = str(tmp_path / "index.db")
    client = MilvusClient(uri)
    client.create_collection("isoglot", dimension=3)
    for fresh in (False, True):
        with pytest.raises(InputError, match="isoglot did not make the collection 'isoglot'; name another"):
            Milvus(uri=uri).open(fresh=fresh)
    assert client.has_collection("isoglot")
    client.close()


def test_all_or_none_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoglot.retrieval.indexes import milvus_collection

    index = Milvus(uri=str(tmp_path / "index.db")).open()
    index.add(["first"], ROW)
    monkeypatch.setattr(milvus_collection, "_ROWS", 2)
    real, calls = MilvusCollection.call, []

    def failing(self: MilvusCollection, method: str, *values: Any, **given: Any) -> Any:
        calls.append(method)
        if method == "insert" and calls.count("insert") == 3:
            real(self, method, *values, **given)  # it arrived, but nobody heard of it
            calls.append("failed")
            raise InputError("no answer")
        return real(self, method, *values, **given)

    monkeypatch.setattr(MilvusCollection, "call", failing)
    with pytest.raises(InputError, match="no answer"):
        index.add(*several(9))
    assert calls.count("insert") == 3
    assert (index.count(), index.search(ROW, 20).ids) == (1, [["first"]])
    calls.clear()

    def broken(self: MilvusCollection, method: str, *values: Any, **given: Any) -> Any:
        if method == "delete":
            raise InputError("gone away")
        return failing(self, method, *values, **given)

    monkeypatch.setattr(MilvusCollection, "call", broken)
    with pytest.raises(InputError, match=r"no answer; up to 6 documents .* cannot be removed now \(gone away\)"):
        index.add(*several(9))
    index.close()


def test_what_is_too_long_for_milvus(tmp_path: Path) -> None:
    index = Milvus(uri=str(tmp_path / "index.db")).open()
    for ids, about, message in (
        (["ä" * 513], {}, "has 1026 bytes; Milvus takes 1024"),
        (["x"], {"text": "ä" * 33_000}, "metadata of 'x': 1 keys, 66012 bytes as JSON; Milvus takes 4096 and 65536"),
        (["x"], {str(number): 0 for number in range(4097)}, "4097 keys"),
    ):
        with pytest.raises(InputError, match=message):
            index.add(ids, ROW, [about])  # type: ignore[list-item]
    assert index.count() == 0
    index.add(["ä" * 512], ROW, [{"text": "x" * 65_000}])
    assert index.search(ROW, 1).ids == [["ä" * 512]]
    index.close()


def test_ties_beyond_what_is_asked_for_first(tmp_path: Path) -> None:
    from isoglot.retrieval.indexes.exact import ExactIndex

    index, reference = Milvus(uri=str(tmp_path / "index.db")).open(), ExactIndex()
    for one in (index, reference):
        one.add(*several(100))
    for k in (1, 30, 100, 20_000):
        assert index.search(ROW, k).ids == reference.search(ROW, k).ids
    index.close()


def test_filters_as_expressions() -> None:
    odd = [Condition('a" or 1 == 1', ('") or (1 == 1',))]
    for is_lite in (True, False):
        assert "1 == 1" not in expression(odd, is_lite=is_lite)
    assert expression([], is_lite=True) == ""
    assert tag("a", 1) == tag("a", True) == tag("a", 1.0)
    assert (
        len({tag("a", 1), tag("a", "1"), tag("a1", ""), tag("", "a1"), tag("a", "n1"), tag("b", 1), tag("a", 1.5)}) == 7
    )
    assert [own.count(",") + 1 for own in bucket_expressions("x", 5)] == [5, 5, 5, 1]


def test_two_directories_have_two_collections_on_a_server() -> None:
    settings = Milvus(uri="http://host:19530")
    names = [settings.at(Path(folder), model).collection for folder in ("a", "b") for model in ("m1", "m2")]
    assert len({*names}) == 4
    assert settings.at(Path("a"), "m1").collection == names[0]
    assert Milvus().at(Path("a"), "m1").uri == "a/m1.db"


@pytest.mark.slow
def test_a_server(milvus_server: str) -> None:
    """What a file has not: kinds, the most results, many languages, the work of other processes."""
    settings = Milvus(uri=milvus_server, collection=f"test_{secrets.token_hex(6)}", ef_search=8)
    index, other = settings.open(), settings.open()
    assert isinstance(index, MilvusIndex)
    ids, rows, _ = several(30)
    index.add(ids, rows, [{"lang": f"l{number % 3}"} for number in range(30)])
    with pytest.raises(InputError, match="is of kind=hnsw, not ivf"):
        settings.model_copy(update={"kind": "ivf"}).open()
    assert other.count() == 0  # opened before there was a collection
    third = settings.open(to_write=False)
    assert third.count() == 30
    index.add(["new"], ROW, [{"lang": "l9"}])
    strong = settings.model_copy(update={"consistency": "strong"}).open()
    assert strong.search(ROW, 9, languages=["l9"]).ids == [["new"]]
    assert third.search(ROW, 9, languages=["l9", "l7"]).ids == [["new"]]  # a partition that it did not know
    assert len(third.search(ROW, 20_000).ids[0]) == 31
    index.finish()
    assert len(third.search(ROW, 20_000).ids[0]) == 31
    assert index.delete(["new"]) == 1
    assert strong.search(ROW, 9, languages=["l9"]).ids == [[]]
    fresh = settings.open(fresh=True)
    assert fresh.count() == 0
    for one in (index, other, third, strong, fresh):
        one.close()
