"""mMARCO and the English sets, from small files in the formats of their repositories."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isoglot.data.pairs.loading import load_pairs
from isoglot.errors import InputError, LineError

NAMES = {"en": "english", "de": "german"}


def write_mmarco(folder: Path) -> Path:
    (folder / "data/google/queries/train").mkdir(parents=True)
    (folder / "data/google/collections").mkdir()
    triples = [(7, 70, 90), (7, 70, 91), (8, 80, 90), (7, 71, 92), (8, 80, 92)]
    (folder / "data/triples.train.ids.small.tsv").write_text(
        "".join("\t".join(map(str, row)) + "\n" for row in triples)
    )
    for lang, name in NAMES.items():
        queries = "".join(f"{key}\t{lang} query {key}\n" for key in (7, 8, 9))
        (folder / f"data/google/queries/train/{name}_queries.train.tsv").write_text(queries)
        passages = "".join(f"{key}\t{lang} passage\t{key}\n" for key in (70, 71, 80, 90, 91, 92, 93))
        (folder / f"data/google/collections/{name}_collection.tsv").write_text(passages)
    return folder


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_all_sets(folder: Path) -> dict[str, Path]:
    """A folder per set, each with its files under the paths of its repository."""
    folders = {"mmarco": write_mmarco(folder / "mmarco")}
    for name in ("wikiqa", "duorc", "newsqa", "nq", "yahoo", "mfaq", "mr-tydi"):
        folders[name] = folder / name
    wikiqa = [
        {"question_id": "Q1", "question": "how?", "document_title": "t", "answer": "so", "label": 1},
        {"question_id": "Q1", "question": "how?", "document_title": "t", "answer": "not so", "label": 0},
    ]
    parquet(folders["wikiqa"] / "data/train-00000-of-00001.parquet", wikiqa)
    film = {"plot_id": "p", "plot": "A film.", "title": "t", "question_id": "q", "question": "who?", "answers": ["she"]}
    parquet(
        folders["duorc"] / "SelfRC/train-00000-of-00001.parquet",
        [{**film, "no_answer": False}, {**film, "question": "when?", "no_answer": False}, {**film, "no_answer": True}],
    )
    news = {"context": "News.", "question": "what?", "answers": ["n"], "key": "k"}
    parquet(folders["newsqa"] / "data/train-00000-of-00001-0a.parquet", [news, {**news, "question": " "}])
    for part in ("00000", "00001"):
        parquet(folders["nq"] / f"pair/train-{part}-of-00002.parquet", [{"query": f"q {part}", "answer": f"a {part}"}])
    parquet(folders["yahoo"] / "question-answer-pair/train-00000-of-00001.parquet", [{"question": "q", "answer": "a"}])
    pages = {"domain": "x.org", "qa_pairs": [{"question": "q1", "answer": "a1"}, {"question": "q2", "answer": "a2"}]}
    (folders["mfaq"] / "data/en").mkdir(parents=True)
    (folders["mfaq"] / "data/en/train.jsonl").write_text(json.dumps(pages) + "\n")
    tydi = folders["mr-tydi"] / "mrtydi-v1.1-english"
    tydi.mkdir(parents=True)
    rows = [
        {"query_id": "1", "query": "one?", "positive_passages": [{"docid": "5#0", "title": "t", "text": "whole"}]},
        {"query_id": "2", "query": "two?", "positive_passages": [{"docid": "5#1"}], "negative_passages": []},
    ]
    with gzip.open(tydi / "train.jsonl.gz", "wt") as sink:
        sink.writelines(json.dumps(row) + "\n" for row in rows)
    with gzip.open(tydi / "corpus.jsonl.gz", "wt") as sink:
        sink.writelines(json.dumps({"docid": f"5#{n}", "title": "t", "text": f"text {n}"}) + "\n" for n in range(3))
    return folders


def rows_of(source: str) -> list[tuple[str, ...]]:
    table = load_pairs(source).table.to_pylist()
    return [(row["id"], row["lang"], row["query"], row["passage"], row["passage_id"]) for row in table]


def test_mmarco_is_parallel_and_each_pair_comes_once(tmp_path: Path) -> None:
    folder = write_mmarco(tmp_path / "m")
    table = load_pairs(f"mmarco:{folder}")
    assert table.languages == ("de", "en"), "those that the folder has"
    assert table.index.n_pairs == 3
    assert (table.index.rows >= 0).all(), "every pair in every language"
    rows = {(row["id"], row["lang"]): row for row in table.table.to_pylist()}
    row = rows["7-70", "de"]
    assert (row["query"], row["passage"], row["passage_id"], row["negatives"]) == (
        "de query 7",
        "de passage\t70",
        "70",
        [],
    )
    group = dict(zip(("7-70", "8-80", "7-71"), table.index.group.tolist()))
    assert group["7-70"] == group["7-71"] != group["8-80"], "two passages of one query may not share a batch"
    some = load_pairs(f"mmarco:{folder}?languages=en&limit=2&negatives=2").table.to_pylist()
    assert [(row["id"], row["lang"]) for row in some] == [("7-70", "en"), ("8-80", "en")]
    assert some[0]["negatives"] == ["en passage\t90", "en passage\t91"]
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in folder.rglob("*.tsv"):
        (flat / path.name).write_bytes(path.read_bytes())
    assert load_pairs(f"mmarco:{flat}").digest == table.digest


def test_mmarco_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_mmarco(tmp_path / "m")
    for source, message in (
        (f"mmarco:{tmp_path}/none", "no such folder; expected mmarco:hub or mmarco:DIR"),
        (f"mmarco:{folder}?languages=sw", "unknown language of mMARCO 'sw'"),
        (f"mmarco:{folder}?languages=fr", "no data/google/queries/train/french_queries.train.tsv"),
        (f"mmarco:{folder}?limits=2", r"unknown option 'limits' \(did you mean 'limit'\?\)"),
        (f"mmarco:{folder}?limit=two", "limit=two: expected a whole number"),
        (f"mmarco:{folder}?limit", "'limit': expected option=value"),
    ):
        with pytest.raises(InputError, match=message):
            load_pairs(source)
    collection = folder / "data/google/collections/german_collection.tsv"
    collection.write_text(collection.read_text().replace("80\t", "81\t"))
    with pytest.raises(InputError, match=r"german_collection\.tsv: passage 80 of triples"):
        load_pairs(f"mmarco:{folder}")
    triples = folder / "data/triples.train.ids.small.tsv"
    triples.write_text(triples.read_text() + "7\t70\n")
    with pytest.raises(LineError, match=r"tsv:6: expected 3 ids separated by tabs, found 2"):
        load_pairs(f"mmarco:{folder}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for source in ("mmarco:hub?languages=en", "wikiqa:hub"):
        with pytest.raises(InputError, match=r"hub.*cannot be reached; put"):
            load_pairs(source)


def test_english_sets(tmp_path: Path) -> None:
    folders = write_all_sets(tmp_path)
    found = {name: rows_of(f"{name}:{folder}") for name, folder in folders.items() if name != "mmarco"}
    assert found["wikiqa"] == [("train-00000-of-00001-1", "en", "how?", "so", None)]
    assert [(row[2], row[4]) for row in found["duorc"]] == [("who?", "p"), ("when?", "p")]
    assert len(found["newsqa"]) == 1
    assert [row[2:4] for row in found["nq"]] == [("q 00000", "a 00000"), ("q 00001", "a 00001")]
    assert [row[2:4] for row in found["yahoo"]] == [("q", "a")]
    assert [row[2:4] for row in found["mfaq"]] == [("q1", "a1"), ("q2", "a2")]
    assert [row[2:] for row in found["mr-tydi"]] == [("one?", "whole", "5#0"), ("two?", "text 1", "5#1")]
    assert len(rows_of(f"nq:{folders['nq']}?limit=1")) == 1


def test_english_sets_say_what_is_wrong(tmp_path: Path) -> None:
    folders = write_all_sets(tmp_path)
    with pytest.raises(InputError, match=r"no data/train\* .* as in the dataset microsoft/wiki_qa"):
        load_pairs(f"wikiqa:{folders['mfaq']}")
    parquet(folders["yahoo"] / "question-answer-pair/train-00000-of-00001.parquet", [{"query": "q", "answer": "a"}])
    with pytest.raises(LineError, match=r"parquet:1: column 'question' is missing; found query, answer"):
        load_pairs(f"yahoo:{folders['yahoo']}")
    (folders["mr-tydi"] / "mrtydi-v1.1-english/corpus.jsonl.gz").unlink()
    with pytest.raises(InputError, match=r"name passages by id only"):
        load_pairs(f"mr-tydi:{folders['mr-tydi']}")


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("mr-tydi", {"query_id": True, "query": "q?"}, "field 'query_id' must be text, found bool True"),
        ("mr-tydi", {"query_id": "1", "query": ["q?"]}, "field 'query' must be text, found list"),
        ("mr-tydi", {"query_id": "1", "query": "q?", "positive_passages": "p"}, "must be a list of objects"),
        ("mr-tydi", {"query_id": "1", "query": "q?", "positive_passages": [{"text": "p"}]}, "field 'docid' is missing"),
        ("mfaq", {"qa_pairs": [1]}, "field 'qa_pairs' must be a list of objects"),
        ("mfaq", {"qa_pairs": [{"question": 1, "answer": "a"}]}, "field 'question' must be text, found int"),
    ],
)
def test_rows_of_sets_are_typed(tmp_path: Path, name: str, row: dict[str, Any], message: str) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=rf"train\.jsonl:1: .*{message}"):
        load_pairs(f"{name}:{tmp_path}")


def test_pairs_that_are_left_out_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [{"question": "q?", "answer": "a"}, {"question": " ", "answer": "a"}, {"question": "q?", "answer": None}]
    (tmp_path / "train.jsonl").write_text(json.dumps({"qa_pairs": pairs}) + "\n")
    assert len(load_pairs(f"mfaq:{tmp_path}")) == 1
    assert "2 pairs left out: question or passage is empty" in capsys.readouterr().err
