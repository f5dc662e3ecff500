"""Documents of pairs: read, packed, kept by what is made of a table, and no part of the digest that runs know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from isoglot.cli.main import main
from isoglot.data.pairs.documents import Documents
from isoglot.data.pairs.lists import ListColumn
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packed import open_packed, open_texts
from isoglot.data.pairs.packing import pack_pairs
from isoglot.data.pairs.table import SCHEMA, PairTable
from isoglot.data.pairs.writing import write_pairs
from isoglot.errors import InputError
from isoglot.records import PairRow
from tests.batching.test_negatives import random_rows
from tests.data.test_lareqa import folder  # noqa: F401

_COLUMNS = ("document_id", "document_passages")


def without(rows: list[PairRow]) -> list[PairRow]:
    return [replace(row, document_id=None, document_passages=()) for row in rows]


def test_files_have_a_document_id_and_no_passages_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [PairRow("s", f"{n}", "en", f"q{n}", f"p{n}", document_id="7" if n else None) for n in range(3)]
    rows[2] = replace(rows[2], document_passages=("further",), negatives=("no",), passage_id="x")
    assert write_pairs(PairTable.from_rows(rows), tmp_path / "pairs.jsonl") == 1
    read = load_pairs(tmp_path / "pairs.jsonl")
    assert read.table.column("document_id").to_pylist() == [None, "7", "7"]
    assert read.digest == PairTable.from_rows(rows).digest
    assert read.document_digest != PairTable.from_rows(rows).document_digest
    lines = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert lines[0] == {"source": "s", "id": "0", "lang": "en", "query": "q0", "passage": "p0"}
    assert list(lines[2])[5:] == ["passage_id", "document_id", "negatives"]
    assert main(["data", "check", str(tmp_path / "pairs.jsonl")]) == 0
    assert "rows with negatives: 1, with a document: 2" in capsys.readouterr().out
    (tmp_path / "pairs.jsonl").write_text(json.dumps({**lines[0], "document_id": 1.5}))
    with pytest.raises(InputError, match="document_id"):
        load_pairs(tmp_path / "pairs.jsonl")


def test_lareqa_gives_the_paragraph_without_what_answers(folder: Path) -> None:  # noqa: F811
    table = load_pairs(f"lareqa:{folder}")
    rows = {(row["lang"], row["id"]): row for row in table.table.to_pylist()}
    assert (rows["en", "q1"]["document_id"], rows["en", "q1"]["document_passages"]) == ("en:0:0", ["Two.", "Tri."])
    assert rows["en", "q2"]["document_passages"] == ["Yes.", "Two.", "Yes."]
    assert rows["de", "q3"]["document_passages"] == ["Ja.", "Drei."]
    whole = {(row["lang"], row["id"]): row for row in load_pairs(f"lareqa-paragraphs:{folder}").table.to_pylist()}
    assert {key: row["document_id"] for key, row in whole.items()} == {
        ("de", "q1"): "de:0",
        ("de", "q3"): "de:0",
        **{("en", f"q{n}"): "en:0" for n in (1, 2, 3)},
        ("en", "q4"): "en:1",
    }
    # of one document are both paragraphs, but q1 and q3 share the German one
    table = load_pairs(f"lareqa-paragraphs:{folder}")
    assert table.documents.counts(np.arange(len(table))).tolist() == [0] * len(table)


def test_digests(tmp_path: Path) -> None:
    rows = random_rows(0)
    table = PairTable.from_rows(rows)
    plain = PairTable.from_rows(without(rows))
    assert plain.digest == table.digest
    assert plain.document_digest is None
    changed = [
        [*rows[:5], row, *rows[6:]]
        for row in (
            replace(rows[5], document_id="other"),
            replace(rows[5], document_passages=(*rows[5].document_passages, "x")),
            replace(rows[5], document_id=None, document_passages=()),
        )
    ]
    digests = {PairTable.from_rows(rows).document_digest for rows in [rows, *changed]}
    assert len(digests) == 4
    half = table.select(np.arange(20))
    assert half.document_digest == PairTable.from_rows(rows[:20]).document_digest
    assert PairTable.from_arrow(table.table.drop_columns(list(_COLUMNS))).digest == table.digest


def test_packed_pairs_keep_documents_and_older_ones_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoglot.data.pairs.parts._BATCH_ROWS", 16)
    rows = random_rows(1)
    table = PairTable.from_rows(rows)
    monkeypatch.setattr("isoglot.data.pairs.parts.read_pairs", lambda *_, **__: ((row, "x", 1) for row in rows))
    pack_pairs(["x"], tmp_path / "packed")
    packed = open_packed(tmp_path / "packed", everything=True)
    assert packed.table.column("document_id").num_chunks > 3
    assert packed.document_digest == table.document_digest
    for name in ("document", "own", "own_size", "owner", "hashes", "places"):
        assert np.array_equal(getattr(packed.documents, name), getattr(table.documents, name))
    numbers = np.random.default_rng(0).permutation(len(table.documents))
    assert packed.documents.texts(numbers).to_pylist() == table.documents.texts(numbers).to_pylist()

    old = open_texts(tmp_path / "packed").drop_columns(list(_COLUMNS))
    (tmp_path / "old").mkdir()
    with pa.OSFile(str(tmp_path / "old" / "texts.arrow"), "wb") as sink, pa.ipc.new_file(sink, old.schema) as writer:
        writer.write_table(old, max_chunksize=16)
    texts = open_texts(tmp_path / "old")
    assert texts.schema == SCHEMA
    assert texts.column("document_passages").to_pylist() == [None] * len(rows)
    assert len(Documents.of(texts, table.index)) == len(rows)  # each row a document alone
    assert not Documents.of(texts, table.index).counts(np.arange(len(rows))).any()


def test_lists_are_numbered_through() -> None:
    lists = [["a", "b"], [], None, ["c"], ["d", "e", "f"], [], ["g"]]
    column = pa.chunked_array([pa.array(lists[:3]), pa.array([], pa.list_(pa.string())), pa.array(lists)[3:]])
    texts = ListColumn(column)
    assert len(texts) == 7
    rows = np.array([6, 0, 2, 4, 3, 5])
    assert [span.tolist() for span in texts.spans(rows)] == [[6, 0, 2, 3, 2, 6], [1, 2, 0, 3, 1, 0]]
    assert texts.texts(np.array([5, 0, 6, 2, 0])).to_pylist() == ["f", "a", "g", "c", "a"]
    assert texts.texts(np.array([], dtype=np.int64)).to_pylist() == []
    assert [text for chunk in texts.chunks() for text in chunk.to_pylist()] == list("abcdefg")
