"""Sources by name in the layouts of their publishers; datasets of the hub from a small server that answers as it does."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoglot.data.pairs import journal, parts
from isoglot.data.pairs.hub_files import matches
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packing import pack_pairs
from isoglot.data.pairs.source import Place, read_source
from isoglot.data.pairs.sources import mkqa, squadshifts
from isoglot.data.pairs.web_files import WebSet
from isoglot.errors import InputError, LineError
from isoglot.records import PairRow
from tests.data.fake_hub import FakeHub, Repo, serve
from tests.data.test_mmarco import rows_of, write_all_sets
from tests.data.test_packed import Cut, content, cut


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def parquet(rows: list[dict[str, Any]], group: int = 1000) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=group)
    return sink.getvalue()


# SQuAD's layout

SENTENCES = {
    "en": ["It rains. ", "Dr. Ito came by train. ", "He left."],
    "de": ["Es regnet. ", "Ito kam. ", "Er ging."],
}


def squad(lang: str, **more: Any) -> dict[str, Any]:
    """One article of two paragraphs: a question with answers in two sentences, one impossible, one without answers."""
    one, two, three = SENTENCES[lang]
    context = one + two + three
    starts = [0, len(one) + 1, len(one) + 4]
    questions: list[dict[str, Any]] = [
        {"id": "q1", "question": f"who {lang}?", "answers": [{"text": "x", "answer_start": at} for at in starts]},
        {"id": "q2", "question": f"why {lang}?", "answers": [], "is_impossible": True},
        {"id": 3, "question": f"when {lang}?", "answers": []},
    ]
    last = [{"id": "q4", "question": f"left {lang}?", "answers": [{"text": "x", "answer_start": 0}]}]
    paragraphs = [{"context": context, "qas": questions, **more}, {"context": three, "qas": last}]
    return {"version": "v2.0", "data": [{"title": "T", "paragraphs": paragraphs}]}


@pytest.fixture
def squads(tmp_path: Path) -> Path:
    folder = tmp_path / "sq"
    folder.mkdir()
    for lang in SENTENCES:
        (folder / f"{lang}.json").write_text(json.dumps(squad(lang)))
        (folder / f"train-{lang}-v2.0.json").write_text(json.dumps(squad(lang)))
    return folder


def test_squad_paragraphs(squads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"train-de-v2\.0\.json: the file is named after no language"):
        load_pairs(f"squad:{squads}")
    pattern = f"{squads}/train-{{lang}}-v2.0.json"
    table = load_pairs(f"squad:{pattern}")
    assert "4 questions left out: they have no answer" in capsys.readouterr().err
    assert table.index.sources == ("sq",)
    assert table.index.n_pairs == 2
    assert (table.index.rows >= 0).all(), "questions of one id are parallel"
    row = table.table.to_pylist()[2]
    assert (row["id"], row["lang"], row["query"]) == ("q1", "en", "who en?")
    assert row["passage"] == "".join(SENTENCES["en"])
    assert (row["passage_id"], row["document_id"]) == ("en:0:0", "en:0")
    assert load_pairs(f"squad:{pattern}?languages=en&source=mine").index.sources == ("mine",)


def test_squad_sentences(squads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sentencex")
    pattern = f"{squads}/train-{{lang}}-v2.0.json?passage=sentence"
    rows = {(row["id"], row["lang"]): row for row in load_pairs(f"squad:{pattern}").table.to_pylist()}
    assert rows["q1", "en"]["passage"] == "Dr. Ito came by train.", "the sentence of most answers"
    assert rows["q1", "de"]["passage"] == "Ito kam."
    assert rows["q4", "en"]["passage"] == "He left."
    assert rows["q1", "en"]["document_id"] == "en:0:0"
    assert "2 questions have answers in several sentences" in capsys.readouterr().err
    # sentences that the file names are taken
    ends = [[0, 3], [3, 40]]
    (squads / "train-en-v2.0.json").write_text(json.dumps(squad("en", sentence_breaks=ends)))
    rows = {row["id"]: row for row in load_pairs(f"squad:{pattern}&languages=en").table.to_pylist()}
    assert rows["q1"]["passage"] == "".join(SENTENCES["en"])[3:40].strip()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["data"][0]["paragraphs"][0]["qas"][0].update(id="q4"), r"id 'q4' occurs twice"),
        (lambda file: file["data"][0]["paragraphs"][0]["qas"][0].update(question=" "), r"qas\[0\]\..* is empty"),
        (lambda file: file["data"][0]["paragraphs"][0]["qas"][0]["answers"][0].update(answer_start=99), "outside"),
        (lambda file: file["data"][0]["paragraphs"][0]["qas"][1].update(is_impossible="no"), "expected true or false"),
        (lambda file: file["data"][0]["paragraphs"][0].update(sentence_breaks=[[0, 999]]), "in the context"),
        (lambda file: file["data"][0].update(paragraphs={}), r"data\[0\]\.paragraphs is a dict; expected a list"),
        (lambda file: file.update(data=[]), "no question in it"),
    ],
)
def test_malformed_squad(tmp_path: Path, change: Any, message: str) -> None:
    file = squad("en")
    change(file)
    (tmp_path / "en.json").write_text(json.dumps(file))
    with pytest.raises(InputError, match=rf"en\.json: .*{message}"):
        load_pairs(f"squad:{tmp_path}?passage=sentence")


def test_squad_says_what_is_wrong(squads: Path) -> None:
    pattern = f"squad:{squads}/train-{{lang}}-v2.0.json"
    for spec, message in (
        ("squad:/none", "no such folder; expected squad:DIR or"),
        (f"{pattern}?passage=page", r"unknown passage 'page'"),
        (f"{pattern}?languages=fr", "no file in fr"),
        (f"{pattern}?lang=fr", r"unknown option 'lang'"),
        (f"squad:{squads}/dev-{{lang}}.json", "no file there"),
    ):
        with pytest.raises(InputError, match=message):
            load_pairs(spec)


def write_shifts(folder: Path) -> Path:
    folder.mkdir()
    for name in squadshifts.FILES.values():
        (folder / name).write_text(json.dumps(squad("en")))
    return folder


def test_squadshifts(tmp_path: Path) -> None:
    folder = write_shifts(tmp_path / "shifts")
    table = load_pairs(f"squadshifts:{folder}")
    assert (table.languages, table.index.n_pairs) == (("en",), 8)
    assert table.column("id", table.index.rows[:2, 0]) == ["amazon:q1", "amazon:q4"]
    assert load_pairs(f"squadshifts:{folder}?parts=nyt,reddit").index.n_pairs == 4
    (folder / "nyt_v1.0.json").unlink()
    with pytest.raises(InputError, match=r"no nyt_v1\.0\.json in"):
        load_pairs(f"squadshifts:{folder}")
    with pytest.raises(InputError, match="unknown part 'nyc'"):
        load_pairs(f"squadshifts:{folder}?parts=nyc")


# BEIR


def write_beir(folder: Path, gz: str = "") -> Path:
    corpus = [{"_id": f"d{n}", "title": f"t{n}", "text": f"text {n}"} for n in range(6)]
    jsonl(folder / f"corpus.jsonl{gz}", [*corpus, {"_id": "empty", "title": "", "text": ""}])
    jsonl(folder / f"queries.jsonl{gz}", [{"_id": f"q{n}", "text": f"query {n}", "metadata": {}} for n in range(4)])
    (folder / "qrels").mkdir()
    judged = [
        "query-id\tcorpus-id\tscore",
        "q0\td1\t1",
        "q0\td0\t2",
        "q1\td1\t1",
        "q2\td4\t0",
        "q3\tlost\t1",
        "gone\td5\t1",
    ]
    (folder / "qrels/train.tsv").write_text("\n".join(judged) + "\n")
    (folder / "qrels/dev.tsv").write_text("query-id\tcorpus-id\tscore\nq2\td4\t1\n")
    return folder


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_beir(tmp_path: Path, gz: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_beir(tmp_path / "set", gz)
    assert rows_of(f"beir:{folder}") == [
        ("q0-d0", "en", "query 0", "t0 text 0", "d0"),
        ("q0-d1", "en", "query 0", "t1 text 1", "d1"),
        ("q1-d1", "en", "query 1", "t1 text 1", "d1"),
    ]
    said = capsys.readouterr().err
    assert "taken to be English; give ?lang=CODE" in said
    assert "1 judged passages and the queries of 1 judgements are not there" in said
    assert rows_of(f"beir:{folder}?split=dev&lang=nl&passage=text") == [("q2-d4", "nl", "query 2", "text 4", "d4")]
    assert "English" not in capsys.readouterr().err
    assert len(rows_of(f"beir:{folder}?limit=2")) == 2
    english = write_beir(tmp_path / "english")
    both = load_pairs([f"beir:{folder}?lang=nl&source=s", f"beir:{english}?lang=en&source=s"])
    assert (both.index.rows >= 0).all()


def test_beir_says_what_is_wrong(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "set")
    with pytest.raises(InputError, match=r"no split test in .* \(there: dev, train\)"):
        load_pairs(f"beir:{folder}?split=test")
    for text, message in (
        ("q\td\t1\nq0\td1\n", "train.tsv:2: expected query id, passage id and score"),
        ("q\td\ts\nq0\td1\tnan\n", "train.tsv:2: the score 'nan' is no number"),
        ("q\td\ts\nq0\td1\t0\n", "train.tsv: no relevant passage"),
    ):
        (folder / "qrels/train.tsv").write_text(text)
        with pytest.raises(InputError, match=message):
            load_pairs(f"beir:{folder}")
    jsonl(folder / "queries.jsonl", [{"_id": "q2", "text": "a"}, {"_id": "q2", "text": "b"}])
    with pytest.raises(LineError, match=r"queries\.jsonl:2: _id 'q2' occurs twice"):
        load_pairs(f"beir:{folder}?split=dev")
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(InputError, match=r"no corpus\.jsonl in"):
        load_pairs(f"beir:{folder}?split=dev")


# MKQA, EntityQuestions


def write_mkqa(folder: Path) -> Path:
    def question(key: int, kind: str, text: str | None) -> dict[str, Any]:
        answers = {code: [{"type": kind, "text": text and f"{text} {code}"}] for code in mkqa.LANGUAGES.values()}
        queries = {code: f"what {key} {code}" for code in mkqa.LANGUAGES.values()}
        return {"example_id": key, "query": f"what {key} en", "queries": queries, "answers": answers}

    rows = [
        question(-5, "entity", "it"),
        question(6, "unanswerable", None),
        question(7, "binary", "yes"),
        question(8, "date", "now"),
    ]
    rows[3]["answers"]["de"] = [{"type": "long_answer", "text": None}]
    rows[3]["queries"]["fr"] = ""
    jsonl(folder / "mkqa.jsonl.gz", rows)
    return folder


def test_mkqa(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_mkqa(tmp_path / "m")
    table = load_pairs(f"mkqa:{folder}")
    assert {"zh", "zh-HK", "zh-Hant", "nb", "km"} < set(table.languages)
    assert len(table) == 26 + 24
    said = capsys.readouterr().err
    assert "2 questions left out: their answer is no text, or yes or no" in said
    assert "2 rows left out: no question or answer in the language" in said
    some = rows_of(f"mkqa:{folder}?languages=en,zh-CN&limit=1")
    assert [row[:4] for row in some] == [("-5", "en", "what -5 en", "it en"), ("-5", "zh", "what -5 zh_cn", "it zh_cn")]
    with pytest.raises(InputError, match="MKQA has no language 'sw'"):
        load_pairs(f"mkqa:{folder}?languages=sw")
    jsonl(folder / "mkqa.jsonl.gz", [{"example_id": 1, "queries": [], "answers": {}}])
    with pytest.raises(LineError, match=r"gz:1: fields 'queries' and 'answers' must be objects"):
        load_pairs(f"mkqa:{folder}")


def write_entities(folder: Path) -> Path:
    for split in ("train", "dev"):
        for relation in ("P17", "P19"):
            rows = [
                {"question": f"where {relation} {n}?", "answers": [f"there {n}", "elsewhere"][: 1 + n]}
                for n in range(2)
            ]
            path = folder / f"dataset/{split}/{relation}.{split}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(rows))
    return folder


def test_entity_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_entities(tmp_path / "e")
    found = rows_of(f"entity-questions:{folder}")
    assert [row[0] for row in found] == ["P17-1", "P17-2", "P19-1", "P19-2"]
    assert found[0][1:4] == ("en", "where P17 0?", "there 0")
    assert "2 questions have several answers; the first of each is taken" in capsys.readouterr().err
    assert len(rows_of(f"entity-questions:{folder}/dataset/dev?split=dev&limit=3")) == 3
    with pytest.raises(InputError, match=r"no P\*\.test\.json in"):
        load_pairs(f"entity-questions:{folder}?split=test")
    (folder / "dataset/train/P17.train.json").write_text('[{"question": "q", "answers": []}]')
    with pytest.raises(InputError, match=r"P17\.train\.json: file\[0\]\.expected a question, and answers"):
        load_pairs(f"entity-questions:{folder}")


# files on the web


def test_files_of_the_web_are_held_to_their_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    data = gzip.compress(b"", mtime=0)
    hub = FakeHub({"own/set": Repo({"a.txt": data, "b.txt": b"changed"})})
    with serve(hub, tmp_path / "hub", monkeypatch):
        import os

        url = f"{os.environ['HF_ENDPOINT']}/datasets/own/set/resolve/main"
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        made = WebSet("set", url, "CC0", {"a.txt": blob, "b.txt": blob})
        assert made.fetch("a.txt").read_bytes() == data
        said = capsys.readouterr().err
        assert f"set: licence CC0; a.txt, {len(data)} bytes, from {url}/a.txt" in said
        made.fetch("a.txt")
        assert capsys.readouterr().err == ""
        made.fetch("a.txt").write_bytes(b"damaged")
        assert made.fetch("a.txt").read_bytes() == data, "is fetched again"
        with pytest.raises(InputError, match=r"b\.txt is not the file that isoglot knows"):
            made.fetch("b.txt")
        with pytest.raises(InputError, match=r"c\.txt could not be downloaded .*; put c\.txt into a folder"):
            replace(made, blobs={"c.txt": blob}).fetch("c.txt")


# the hub

ROWS = [
    {"id": n, "question": f"q {n}", "answers": {"text": [f"a {n}", "b"][: 1 + n % 2]}, "l": "eng"} for n in range(9)
]
FORM = "question&passage=answers.text&id=id"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A repository whose card names its files, one with converted files only, one with neither."""
    card = {
        "license": "cc-by-4.0",
        "configs": [
            {
                "config_name": "de",
                "data_files": [{"split": "train", "path": "de/*.parquet"}, {"split": "dev", "path": ["de.jsonl"]}],
            },
            {"config_name": "en", "data_files": "en.jsonl", "default": True},
        ],
    }
    files = {
        "README.md": b"",
        "de/0.parquet": parquet(ROWS[:6], 4),
        "de/1.parquet": parquet(ROWS[6:], 4),
        "de/x/2.parquet": parquet(ROWS),
        "de.jsonl": b'{"question": " ", "answers": null}\n{"question": "q", "answers": {"text": []}}\n',
        "en.jsonl": json.dumps({**ROWS[0], "question": "only"}).encode() + b"\n",
        "photo.png": b"",
    }
    converted = {"c/train/0000.parquet": parquet(ROWS[:2]), "c/partial-test/0000.parquet": parquet(ROWS[:1])}
    hub = FakeHub(
        {
            "own/cards": Repo(files, card),
            "own/script": Repo({"script.py": b""}, {}, converted),
            "own/bare": Repo({"x.txt": b""}),
            "own/several": Repo({"README.md": b""}, {}, {f"{c}/train/0000.parquet": parquet(ROWS[:1]) for c in "ab"}),
        }
    )
    with serve(hub, tmp_path / "cache", monkeypatch):
        yield hub


def test_files_that_the_card_names(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    table = load_pairs(f"hub:own/cards?config=de&lang=de&query={FORM}")
    assert [row["id"] for row in table.table.to_pylist()] == [str(n) for n in range(9)]
    assert table.column("passage", table.index.rows[:2, 0]) == ["a 0", "a 1"]
    assert table.index.sources == ("own/cards",)
    said = capsys.readouterr().err
    size = sum(len(hub.repos["own/cards"].files[f"de/{n}.parquet"]) for n in range(2))
    assert f"own/cards: licence cc-by-4.0; 2 file(s), {size / 1000:.1f} kB, from http://127.0.0.1" in said
    assert "4 texts are lists of several; the first of each is taken" in said
    assert hub.downloads == ["de/0.parquet", "de/1.parquet"]
    load_pairs(f"hub:own/cards?config=de&lang=de&query={FORM}")
    assert hub.downloads == ["de/0.parquet", "de/1.parquet"], "from the cache"
    assert "licence" not in capsys.readouterr().err
    # the default, and rows of two configurations that are translations of each other by their id
    both = load_pairs([f"hub:own/cards?config=de&lang=de&query={FORM}", f"hub:own/cards?lang_column=l&query={FORM}"])
    assert both.languages == ("de", "en")
    assert (both.index.rows >= 0).sum() == 10
    assert both.index.n_pairs == 9
    with pytest.raises(InputError, match="no rows"):
        load_pairs("hub:own/cards?config=de&split=dev&lang=de&query=question&passage=answers.text")


def test_files_that_the_hub_converted(hub: FakeHub) -> None:
    assert [row[:4] for row in rows_of("hub:own/script?lang=en&query=question&passage=answers.text")] == [
        ("c/train/0000.parquet:1", "en", "q 0", "a 0"),
        ("c/train/0000.parquet:2", "en", "q 1", "a 1"),
    ]
    assert len(rows_of("hub:own/script?split=test&lang=en&query=question&passage=answers.text")) == 1
    assert len(rows_of(f"hub:own/cards?files=de/**/*.parquet&lang=de&limit=3&query={FORM}")) == 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("own/none?query=q&passage=p&lang=en", r"own/none on the hub cannot be listed \(RepositoryNotFoundError\)"),
        (
            "own/bare?query=q&passage=p&lang=en",
            "neither its card nor refs/convert/parquet names files|cannot be listed",
        ),
        ("own/several?query=q&passage=p&lang=en", r"unknown config '\(none given\)'; known: a, b"),
        ("own/cards?config=fr&query=q&passage=p&lang=en", "unknown config 'fr'.*known: de, en"),
        ("own/cards?split=test&query=q&passage=p&lang=en", "config en: unknown split 'test'; known: train"),
        ("own/cards?query=q&passage=p&lang=en", r"en\.jsonl:1: column 'q' is missing; found id, question"),
        ("own/cards?query=question&passage=answers.tex&lang=en", r"en\.jsonl:1: column 'answers\.tex' is missing"),
        ("own/cards?query=question&passage=answers&lang=en", r"field 'answers' must be text, found dict"),
        ("own/cards?query=question&lang=en", "name the column of the passage"),
        ("own/cards?query=q&passage=p", r"say the language, either for all rows \(lang=en\) or by a column"),
        ("own/cards?files=*.png&query=q&passage=p&lang=en", r"photo\.png is of a kind that is not read"),
        ("own/cards?files=*.txt&query=q&passage=p&lang=en", "no file fits"),
        ("a/b/c?query=q&passage=p&lang=en", "expected hub:OWNER/NAME"),
        ("own/cards?query=q&passage=p&lang=en&limit=all", "limit=all: expected a whole number"),
    ],
)
def test_the_hub_says_what_is_wrong(hub: FakeHub, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_pairs(f"hub:{spec}")


def test_named_sets_from_the_hub(tmp_path: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    """Each in the layout of its repository: the same rows as from a folder, files fetched as they are read."""
    from isoglot.data.pairs.source import SOURCES
    from isoglot.data.pairs.sources.mmarco import REPO

    for name, folder in write_all_sets(tmp_path / "sets").items():
        repo = getattr(SOURCES[name], "repo", REPO)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        corpus = {key: files.pop(key) for key in list(files) if "corpus" in key}
        hub.repos |= {repo: Repo(files, {"license": ["mit"]}), "castorini/mr-tydi-corpus": Repo(corpus or {"x": b""})}
        options = "?languages=en,de" if name == "mmarco" else ""
        assert load_pairs(f"{name}:hub{options}").digest == load_pairs(f"{name}:{folder}{options}").digest
        assert f"{repo}: licence mit; " in capsys.readouterr().err
    del hub.repos[REPO].files["data/google/collections/german_collection.tsv"]
    with pytest.raises(InputError, match=r"unicamp-dl/mmarco on the hub has no .*italian.* \(any more\); put"):
        load_pairs("mmarco:hub?languages=it")


# a reading that stops goes on


def every_source(tmp_path: Path, hub: FakeHub) -> list[str]:
    sets = write_all_sets(tmp_path / "sets")
    pages = [
        {"qa_pairs": [{"question": f"q {n} {m}", "answer": f"a {n} {m}" * (m != 1)} for m in range(n)]}
        for n in range(5)
    ]
    jsonl(sets["mfaq"] / "data/en/train.jsonl", pages)
    wide = [{"id": n, "query_en": f"q {n}", "passage_en": f"a {n}"} for n in range(4)]
    wide = [{**row, "query_de": f"f {row['id']}", "passage_de": f"w {row['id']}"} for row in wide]
    jsonl(tmp_path / "wide.jsonl", [*wide, {**wide[0], "id": 9, "query_fr": "plus tard", "passage_fr": "trop tard"}])
    cells = [list(wide[0]), *([str(value) for value in row.values()] for row in wide)]
    (tmp_path / "wide.csv").write_text("".join(";".join(row) + "\n" for row in cells), encoding="utf-16")
    for lang in ("de", "en"):
        (tmp_path / f"corpus.{lang}").write_text("".join(f"{lang} {n}\n" for n in range(5)), encoding="utf-8")
    return [
        *(f"{name}:{folder}" for name, folder in sets.items()),
        str(tmp_path / "wide.jsonl"),
        str(tmp_path / "wide.csv"),
        f"table:{tmp_path / 'wide.csv'}?query=query_{{lang}}&passage=passage_{{lang}}",
        f"moses:{tmp_path / 'corpus.{lang}'}",
        f"mmarco:{sets['mmarco']}?limit=2",
        f"mfaq:{sets['mfaq']}?limit=4",
        f"beir:{write_beir(tmp_path / 'beir')}?lang=en",
        f"beir:{write_beir(tmp_path / 'beir2', '.gz')}?lang=en&limit=2",
        f"mkqa:{write_mkqa(tmp_path / 'mkqa')}?languages=de,en,fr",
        f"mkqa:{tmp_path / 'mkqa'}?limit=2",
        f"squadshifts:{write_shifts(tmp_path / 'shifts')}",
        f"entity-questions:{write_entities(tmp_path / 'entities')}?limit=3",
        f"hub:own/cards?config=de&lang=de&query={FORM}",
        f"hub:own/cards?config=de&lang=de&limit=7&query={FORM}",
        "facts:en",
    ]


def test_every_source_goes_on_from_every_place(tmp_path: Path, hub: FakeHub) -> None:
    for spec in every_source(tmp_path, hub):
        whole = list(read_source(spec))
        assert whole, spec
        assert all(isinstance(row, PairRow) for row, _, _ in whole), spec
        for stop in {*range(8), len(whole) - 1, len(whole)} & {*range(len(whole) + 1)}:
            place = Place()
            reading = read_source(spec, None, place)
            first = [next(reading) for _ in range(stop)]
            kept = journal.reading_of(json.loads(json.dumps(journal.reading_fields(parts.Reading(0, place))))).place
            assert first + list(read_source(spec, None, kept)) == whole, (spec, stop)


def test_a_pack_from_the_hub_goes_on_at_the_row_group_and_the_commit(
    tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = f"hub:own/cards?config=de&lang=de&query={FORM}"
    pack_pairs([spec], tmp_path / "whole")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "new"))
    monkeypatch.setattr(parts, "_BATCH_ROWS", 5)
    hub.downloads.clear()
    with monkeypatch.context() as patch:
        cut(patch, "_columns", 1)
        with pytest.raises(Cut):
            pack_pairs([spec], tmp_path / "packed")
    asked = hub.downloads.copy()
    hub.downloads.clear()
    groups = []
    original = pq.ParquetFile.iter_batches

    def iter_batches(self: Any, **given: Any) -> Any:
        groups.append(given["row_groups"])
        return original(self, **given)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
    pack_pairs([spec], tmp_path / "packed")
    assert asked == ["de/0.parquet", "de/1.parquet"]
    assert hub.downloads == [], "what was downloaded is not downloaded again"
    assert groups == [[1], [0]], "of the first file the second row group only"
    assert load_pairs(tmp_path / "packed").digest == load_pairs(tmp_path / "whole").digest
    assert content(tmp_path / "packed").keys() == content(tmp_path / "whole").keys()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b*", "train-00000"]), min_size=1, max_size=3))
def test_patterns_of_cards(folders: list[str]) -> None:
    path = "/".join([*folders, "x.parquet"])
    assert matches(path, "**/*.parquet")
    assert matches(path, "**")
    assert matches(path, "/".join(["*"] * (len(folders) + 1)))
    assert not matches(path, "/".join(["*"] * (len(folders) + 2)))
    assert not matches(path, "*.parquet")
