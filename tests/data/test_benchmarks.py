"""Benchmarks by name and as folders: what is read, what is refused and with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.errors import InputError, LineError
from isoglot.records import Benchmark


def write(path: Path, *rows: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """q1 exists in en and de, q2 in en only; document ids are unique in the benchmark."""
    home = tmp_path / "toy"
    write(home / "queries" / "en.jsonl", {"_id": "q1", "text": "who?"}, {"_id": "q2", "text": "where?"})
    write(home / "queries" / "de.jsonl", {"_id": "q1", "text": "wer?"})
    write(home / "corpus" / "en.jsonl", {"_id": "e1", "title": "Person", "text": "he"}, {"_id": "e2", "text": "there"})
    write(home / "corpus" / "de.jsonl", {"_id": "d1", "title": "", "text": "er"})
    write(home / "qrels.tsv", "q1\t0\te1\t1", "q1\t0\td1\t2", "", "q2\t0\te2\t1", "q2\t0\te1\t0", "q2\t0\td1\t-1")
    write(home / "benchmark.json", {"name": "Toy", "license": "CC0-1.0", "source": "here"})
    return home


def judged(benchmark: Benchmark) -> dict[tuple[str, str], dict[str, float]]:
    documents = [f"{lang}/{key}" for lang, key, _ in benchmark.pooled_documents()]
    found = {}
    for i, (lang, key, _) in enumerate(benchmark.pooled_queries()):
        part = slice(benchmark.indptr[i], benchmark.indptr[i + 1])
        found[lang, key] = {
            documents[d]: gain for d, gain in zip(benchmark.relevant[part], benchmark.gains[part], strict=True)
        }
    return found


def test_folder(folder: Path) -> None:
    benchmark = load_benchmark(folder)
    assert benchmark.name == str(folder)
    assert benchmark.about == {"name": "Toy", "license": "CC0-1.0", "source": "here"}
    assert benchmark.corpus_languages == ["de", "en"]
    # title and text with a space; an empty title adds none
    assert [text for _, _, text in benchmark.pooled_documents()] == ["er", "Person he", "there"]
    # the parallel query q1 is judged in both languages; grades 0 and -1 are not relevant
    assert judged(benchmark) == {
        ("de", "q1"): {"de/d1": 2.0, "en/e1": 1.0},
        ("en", "q1"): {"de/d1": 2.0, "en/e1": 1.0},
        ("en", "q2"): {"en/e2": 1.0},
    }


def test_beir_columns_with_and_without_header(folder: Path) -> None:
    expected = judged(load_benchmark(folder))
    rows = ["q1\te1\t1", "q1 d1 2", "q2 e2 1"]
    for header in (["query-id\tcorpus-id\tscore"], []):
        write(folder / "qrels.tsv", *header, *rows)
        assert judged(load_benchmark(folder)) == expected


def test_ids_unique_within_a_language(folder: Path) -> None:
    """MIRACL's kind: the same ids in every language, judged in their own language only; ids may hold a '#'."""
    (folder / "qrels.tsv").unlink()
    for lang in ("en", "de"):
        write(folder / "corpus" / f"{lang}.jsonl", {"_id": "7#0", "text": f"{lang} seven"}, {"_id": "7#1", "text": "x"})
    write(folder / "qrels" / "en.tsv", "q1\tQ0\t7#0\t1", "q2\tQ0\t7#1\t1")
    write(folder / "qrels" / "de.tsv", "q1\tQ0\t7#1\t1")
    assert judged(load_benchmark(folder)) == {
        ("de", "q1"): {"de/7#1": 1.0},
        ("en", "q1"): {"en/7#0": 1.0},
        ("en", "q2"): {"en/7#1": 1.0},
    }
    write(folder / "qrels" / "de.tsv", "q2\tQ0\t7#1\t1")
    with pytest.raises(LineError, match=r"de.tsv:1: query 'q2' is in no file of queries/"):
        load_benchmark(folder)


def test_a_language_without_corpus_is_fine(folder: Path) -> None:
    (folder / "corpus" / "de.jsonl").unlink()
    write(folder / "qrels.tsv", "q1 0 e1 1")
    benchmark = load_benchmark(folder)
    assert benchmark.corpus_languages == ["en"]
    assert judged(benchmark)["de", "q1"] == {"en/e1": 1.0}


def test_languages_restrict_queries_and_corpus(folder: Path) -> None:
    benchmark = load_benchmark(folder, languages=["deu"])
    assert judged(benchmark) == {("de", "q1"): {"de/d1": 2.0}}
    assert benchmark.n_documents == 1
    both = load_benchmark(folder, languages=["en", "de"])
    assert judged(both) == judged(load_benchmark(folder))
    with pytest.raises(InputError, match="has no language 'fr'; it has: de, en"):
        load_benchmark(folder, languages=["en", "fr"])
    with pytest.raises(InputError, match="no language given"):
        load_benchmark(folder, languages=[])


BAD = [
    ("queries/en.jsonl", ["{"], r"queries/en.jsonl:1: not valid JSON \("),
    ("queries/en.jsonl", ["[1]"], r"queries/en.jsonl:1: expected an object"),
    ("queries/en.jsonl", [{"_id": "q1"}], r"queries/en.jsonl:1: field 'text' is missing"),
    ("queries/en.jsonl", [{"text": "x"}], r"queries/en.jsonl:1: field '_id' is missing"),
    ("queries/en.jsonl", [{"_id": "q1", "text": 3}], r"en.jsonl:1: field 'text' must be text, found int"),
    ("queries/en.jsonl", [{"_id": "q1", "text": "a"}, {"_id": "q2", "text": " "}], r"en.jsonl:2: field 'text' of 'q2'"),
    ("queries/en.jsonl", [{"_id": "q1", "text": "a"}] * 2, r"en.jsonl:2: id 'q1' is already on line 1"),
    ("queries/en.jsonl", [""], r"queries/en.jsonl: no line in it"),
    ("queries/xx-no.jsonl", [{"_id": "q1", "text": "a"}], r"xx-no.jsonl: the file is named after no language"),
    ("queries/eng.jsonl", [{"_id": "q1", "text": "a"}], r"is the same language \(en\)"),
    ("corpus/en.jsonl", [{"_id": "d1", "text": "x"}], r"document id 'd1' is in corpus/de.jsonl and in corpus/en.jsonl"),
    ("corpus/en.jsonl", [{"_id": "e1", "title": 2, "text": "x"}], r"en.jsonl:1: field 'title' must be text"),
    ("qrels.tsv", ["q1 0 e1 1", "q9 0 e1 1"], r"qrels.tsv:2: query 'q9' is in no file of queries/"),
    ("qrels.tsv", ["q1 0 e1 1", "q1 0 e9 1"], r"qrels.tsv:2: document 'e9' is in no file of corpus/"),
    ("qrels.tsv", ["q1 0 e1 1", "q1 0 e1 2"], r"qrels.tsv:2: .* already judged on line 1"),
    ("qrels.tsv", ["q1 0 e1 high"], r"qrels.tsv:1: grade 'high' is not a number"),
    ("qrels.tsv", ["q1 0 e1 nan"], r"qrels.tsv:1: grade 'nan' is not a number"),
    ("qrels.tsv", ["q1 0 e1 1e999"], r"qrels.tsv:1: grade '1e999' is not a number that a grade can be"),
    ("qrels.tsv", ["q1 0 e1 1_0"], r"qrels.tsv:1: grade '1_0' is not a number"),
    ("qrels.tsv", ["q1\t0\t\t1"], r"qrels.tsv:1: the id of the document is empty"),
    ("queries/en.jsonl", [{"_id": True, "text": "a"}], r"en.jsonl:1: field '_id' must be text, found bool True"),
    ("queries/en.jsonl", [{"_id": 1.5, "text": "a"}], r"en.jsonl:1: field '_id' must be text or a whole number"),
    (
        "queries/en.jsonl",
        ['{"_id": "q1", "_id": "q2", "text": "a"}'],
        r"en.jsonl:1: not valid JSON \(key '_id' is given",
    ),
    ("benchmark.json", ['{"name": "x",', ' "year": NaN}'], r"benchmark.json:2: not valid JSON \(NaN"),
    ("benchmark.json", ['{"license": ["a"]}'], r"benchmark.json: 'license' must be a text or a number, found list"),
    ("qrels.tsv", ["q1 e1"], r"qrels.tsv:1: 2 columns; expected 'query 0 document grade'"),
    ("qrels.tsv", ["q1 0 e1 0"], r"no query has a relevant document"),
    ("qrels/en.tsv", ["q1 0 e1 1"], r"has both qrels.tsv and qrels/"),
    ("benchmark.json", ["[]"], r"benchmark.json: expected an object"),
]


@pytest.mark.parametrize(("file", "rows", "message"), BAD)
def test_malformed_files(folder: Path, file: str, rows: list[object], message: str) -> None:
    write(folder / file, *rows)
    with pytest.raises(InputError, match=message) as caught:
        load_benchmark(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_not_utf8(folder: Path) -> None:
    (folder / "corpus" / "de.jsonl").write_bytes(b'{"_id": "d1", "text": "ok"}\n{"_id": "d2", "text": "\xff"}\n')
    with pytest.raises(LineError, match=r"de.jsonl:2: not UTF-8"):
        load_benchmark(folder)


def test_missing_parts(folder: Path) -> None:
    (folder / "qrels.tsv").unlink()
    with pytest.raises(InputError, match=r"no judgments; expected qrels.tsv or qrels/<lang>.tsv"):
        load_benchmark(folder)
    (folder / "corpus" / "en.jsonl").unlink()
    (folder / "corpus" / "de.jsonl").unlink()
    with pytest.raises(InputError, match=r"corpus: no <lang>.jsonl in it"):
        load_benchmark(folder)
    (folder / "corpus").rmdir()
    with pytest.raises(InputError, match=r"no folder corpus/ in it"):
        load_benchmark(folder)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fehlt\.jsonl: no such file \(known benchmarks"):
        load_benchmark("fehlt.jsonl")
    (tmp_path / "pairs.jsonl").touch()
    with pytest.raises(InputError, match=r"pairs\.jsonl: is a file, not a benchmark .*isoglot data benchmark"):
        load_benchmark(tmp_path / "pairs.jsonl")
    with pytest.raises(InputError, match=r"unknown benchmark 'xquadr' \(did you mean 'xquad-r'\?\).*or a folder"):
        load_benchmark("xquadr")
    with pytest.raises(InputError, match="nowhere: no such folder"):
        load_benchmark(tmp_path / "nowhere")
    with pytest.raises(InputError, match="context 'paragraph' is for LAReQA"):
        load_benchmark("faq", context="paragraph")


def test_faq() -> None:
    benchmark = load_benchmark("faq")
    assert benchmark.n_queries >= 11 * 30
    assert len(benchmark.query_languages) == 11
    ids = [key for _, key, _ in benchmark.pooled_documents()]
    assert len(ids) == len(set(ids))
    # every question has its answer in every language, and nothing else
    assert set((benchmark.indptr[1:] - benchmark.indptr[:-1]).tolist()) == {11}
    for (lang, key), documents in judged(benchmark).items():
        assert set(documents) == {f"{other}/{key}:{other}" for other in benchmark.corpus_languages}, lang
    # distractors: the same number in every language
    extra = {sum(key.startswith("fact:") for key in texts.ids) for texts in benchmark.corpus.values()}
    assert len(extra) == 1
    assert extra.pop() > 100


def beir(folder: Path, *languages: str, same: bool = True) -> Path:
    """Two questions, three passages, in BEIR's layout; the second language judges otherwise unless it is the `same`."""
    for number, lang in enumerate(languages):
        home = folder / lang
        write(home / "queries.jsonl", *({"_id": f"q{n}", "text": f"{lang} question {n}"} for n in range(2)))
        write(
            home / "corpus.jsonl",
            *({"_id": f"d{n}", "title": "T" * (n == 0), "text": f"{lang} text {n}"} for n in range(3)),
        )
        grades = ["q0\td0\t1", "q1\td1\t2", "q1\td2\t0" if same or not number else "q1\td2\t1"]
        write(home / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore", *grades)
    return folder


def test_beirs_layout_in_one_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = beir(tmp_path / "set", "de")
    benchmark = load_benchmark(home / "de")
    assert (benchmark.queries.keys(), benchmark.corpus.keys()) == ({"de"}, {"de"})
    assert [text for _, _, text in benchmark.pooled_documents()] == ["T de text 0", "de text 1", "de text 2"]
    assert judged(benchmark) == {("de", "q0"): {"de/d0": 1.0}, ("de", "q1"): {"de/d1": 2.0}}
    (home / "de").rename(tmp_path / "any name")
    assert load_benchmark(tmp_path / "any name", languages=["th"]).queries.keys() == {"th"}
    capsys.readouterr()
    assert load_benchmark(tmp_path / "any name").queries.keys() == {"en"}
    assert "taken to be in English; --languages CODE says another" in capsys.readouterr().err
    (tmp_path / "any name/qrels/test.tsv").rename(tmp_path / "any name/qrels/train.tsv")
    write(tmp_path / "any name/qrels/more.tsv", "q0\td0\t1")
    with pytest.raises(InputError, match=r"no judgments qrels/test.tsv \(there: more, train\)"):
        load_benchmark(tmp_path / "any name")


def test_beirs_layout_in_several_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parallel = load_benchmark(beir(tmp_path / "same", "de", "en"))
    assert "passages of one id are taken for translations" in capsys.readouterr().err
    assert judged(parallel)["de", "q1"] == {"de/d1": 2.0, "en/d1": 2.0}
    apart = load_benchmark(beir(tmp_path / "apart", "de", "en", same=False))
    assert judged(apart)["de", "q1"] == {"de/d1": 2.0}
    assert judged(apart)["en", "q1"] == {"en/d1": 2.0, "en/d2": 1.0}
    write(tmp_path / "apart/en/qrels/test.tsv", "q0\td9\t1")
    with pytest.raises(InputError, match=r"en/qrels/test.tsv:1: passage 'd9' is not in"):
        load_benchmark(tmp_path / "apart")
    (tmp_path / "apart/en").rename(tmp_path / "apart/english texts")
    with pytest.raises(InputError, match="named after no language"):
        load_benchmark(tmp_path / "apart")
