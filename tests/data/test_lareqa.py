"""LAReQA's files: the parser, the gold rule, groups, where files come from, and the real counts."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.data import lareqa
from isoglot.data.benchmarks.catalog import Request
from isoglot.data.benchmarks.lareqa import load_lareqa
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.lareqa import find_lareqa, read_lareqa, read_lareqa_file
from isoglot.errors import InputError
from isoglot.files import digest_file
from tests.realdata import lareqa_dir


def paragraph(sentences: list[str], *questions: tuple[str, int]) -> dict[str, Any]:
    """A paragraph whose sentences are joined without a gap; questions as (id, answer_start)."""
    ends = [sum(map(len, sentences[: i + 1])) for i in range(len(sentences))]
    starts = [0, *ends[:-1]]
    return {
        "context": "".join(sentences),
        "sentences": sentences,
        "sentence_breaks": [list(pair) for pair in zip(starts, ends, strict=True)],
        "qas": [
            {"id": key, "question": f"question {key}?", "answers": [{"text": "x", "answer_start": start}]}
            for key, start in questions
        ],
    }


def article(*paragraphs: dict[str, Any]) -> dict[str, Any]:
    return {"title": "T", "paragraphs": list(paragraphs)}


EN = {
    "data": [
        article(
            # "Yes." occurs twice: both are gold for q1; q2 starts in the sentence from 8 to 12
            paragraph(["Yes.", "Two.", "Tri.", "Yes."], ("q1", 3), ("q2", 8)),
            paragraph(["Yes.", "Odd."], ("q3", 4)),
        ),
        article(paragraph(["Only in English."], ("q4", 0))),
    ]
}
DE = {"data": [article(paragraph(["Ja.", "Zwei.", "Drei."], ("q1", 0), ("q3", 3)))]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for lang, value in (("en", EN), ("de", DE)):
        (tmp_path / f"{lang}.json").write_text(json.dumps(value))
    return tmp_path


def test_files_of_a_known_benchmark_are_known_in_any_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_benchmark(folder).about == {"context": "sentence"}
    known = lareqa.Source("https://example.org/r", "CC0", {"de": digest_file(folder / "de.json"), "fr": "0"})
    monkeypatch.setitem(lareqa.LAREQA, "r", known)
    assert load_benchmark(folder).about == {"context": "sentence", "license": "CC0", "source": "https://example.org/r"}


def test_paragraphs_and_gold_sentences(folder: Path) -> None:
    first, second, third = read_lareqa_file(folder / "en.json")
    assert (first.article, first.paragraph, first.title, first.context) == (0, 0, "T", "Yes.Two.Tri.Yes.")
    assert [(q.id, q.gold) for q in first.questions] == [("q1", (0, 3)), ("q2", (2,))]
    # the same text in another paragraph is not gold
    assert [(q.id, q.gold) for q in second.questions] == [("q3", (1,))]
    assert (third.article, third.paragraph, third.sentences) == (1, 0, ("Only in English.",))
    assert list(read_lareqa(folder)) == ["de", "en"]


def test_an_answer_between_sentences_belongs_to_the_one_before(tmp_path: Path) -> None:
    value = copy.deepcopy(EN)
    value["data"][0]["paragraphs"][0]["sentence_breaks"] = [[0, 2], [4, 8], [9, 12], [12, 16]]
    path = tmp_path / "en.json"
    path.write_text(json.dumps(value))
    # q1 starts at 3: after the first sentence's end, before the second's begin; q2 at 8: after the second's end
    assert [q.gold for q in read_lareqa_file(path)[0].questions] == [(0, 3), (1,)]


def test_benchmark_of_a_folder(folder: Path) -> None:
    benchmark = load_benchmark(folder)
    assert benchmark.query_languages == benchmark.corpus_languages == ["de", "en"]
    documents = [key for _, key, _ in benchmark.pooled_documents()]
    assert documents[:4] == ["de:0:0:0", "de:0:0:1", "de:0:0:2", "en:0:0:0"]
    relevant = {
        (lang, key): [documents[d] for d in benchmark.relevant[benchmark.indptr[i] : benchmark.indptr[i + 1]]]
        for i, (lang, key, _) in enumerate(benchmark.pooled_queries())
    }
    assert relevant == {
        ("de", "q1"): ["de:0:0:0", "en:0:0:0", "en:0:0:3"],
        ("de", "q3"): ["de:0:0:1", "en:0:1:1"],
        ("en", "q1"): ["de:0:0:0", "en:0:0:0", "en:0:0:3"],
        ("en", "q2"): ["en:0:0:2"],
        ("en", "q3"): ["de:0:0:1", "en:0:1:1"],
        ("en", "q4"): ["en:1:0:0"],
    }
    # q1 and q3 share the German paragraph, q2 shares q1's English one: one group; q4 is alone
    assert list(benchmark.query_groups) == ["de:0:0"] * 5 + ["en:1:0"]


def test_context_is_the_sentence_and_its_paragraph(folder: Path) -> None:
    benchmark = load_benchmark(folder, context="paragraph")
    assert benchmark.corpus["de"].texts[1] == "Zwei.\nJa.Zwei.Drei."
    assert benchmark.about["context"] == "paragraph"
    with pytest.raises(InputError, match="unknown context 'page'"):
        load_benchmark(folder, context="page")  # type: ignore[arg-type]


def change(value: dict[str, Any], path: list[Any], new: Any) -> dict[str, Any]:
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if new is None:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return changed


P = ["data", 0, "paragraphs", 0]


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (["data"], None, r"en.json: data is missing; expected a list"),
        (["data", 0], 3, r"en.json: data\[0\] is not an object"),
        ([*P, "sentences"], None, r"data\[0\].paragraphs\[0\].sentences is missing"),
        ([*P, "context"], 4, r"paragraphs\[0\].context is a int; expected a text"),
        ([*P, "sentences", 1], " ", r"sentences\[1\] is not a text with at least one character"),
        ([*P, "sentence_breaks"], [[0, 4]], r"sentence_breaks has 1 entries for 4 sentences"),
        ([*P, "sentence_breaks", 2], [0], r"sentence_breaks\[2\] is \[0\]; expected \[start, end\]"),
        ([*P, "sentence_breaks"], [[5, 6], [6, 7], [7, 8], [8, 9]], "answer_start 3 lies before the first sentence"),
        ([*P, "qas", 1, "id"], "q1", "question id 'q1' occurs twice"),
        ([*P, "qas", 1, "question"], "  ", r"qas\[1\].question is empty"),
        ([*P, "qas", 1, "id"], True, r"qas\[1\].id is a bool; expected a text"),
        ([*P, "qas", 1, "id"], " ", r"qas\[1\].id is empty"),
        ([*P, "sentence_breaks", 2], [True, 2], r"sentence_breaks\[2\] is \[True, 2\]; expected \[start, end\]"),
        (
            [*P, "qas", 1, "answers", 0, "answer_start"],
            float("nan"),
            r"en.json:1: not valid JSON \(NaN is no JSON number",
        ),
        (["data", 0, "title"], ["T"], r"data\[0\].title is a list; expected a text"),
        ([*P, "qas", 1, "answers"], [], r"qas\[1\].answers is empty"),
        ([*P, "qas", 1, "answers", 0, "answer_start"], "8", r"answer_start is a str; expected a whole number"),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, path: list[Any], new: Any, message: str) -> None:
    file = tmp_path / "en.json"
    file.write_text(json.dumps(change(EN, path, new)))
    with pytest.raises(InputError, match=message) as caught:
        read_lareqa_file(file)
    assert str(file) in str(caught.value)


def test_find(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOGLOT_DATA", raising=False)
    assert find_lareqa(str(folder)) == folder
    with pytest.raises(InputError, match=r"unknown LAReQA benchmark 'xquadr'.*did you mean 'xquad-r'"):
        find_lareqa("xquadr")
    with pytest.raises(InputError, match=r"does not hold xquad-r; expected xquad-r/<lang>.json"):
        find_lareqa("xquad-r", folder)
    root = tmp_path / "root"
    for home in (root / "lareqa" / "mlqa-r", root / "plain"):
        home.mkdir(parents=True)
        for lang in ("ar", "de", "en", "es", "hi", "vi", "zh"):
            (home / f"{lang}.json").write_text("{}")
    assert find_lareqa("mlqa-r", root) == root / "lareqa" / "mlqa-r"
    assert find_lareqa("mlqa-r", root / "lareqa") == root / "lareqa" / "mlqa-r"
    assert find_lareqa("mlqa-r", root / "plain") == root / "plain"
    monkeypatch.setenv("ISOGLOT_DATA", str(root))
    assert find_lareqa("mlqa-r") == root / "lareqa" / "mlqa-r"
    # the files of MLQA-R are not those of XQuAD-R
    with pytest.raises(InputError, match="does not hold xquad-r"):
        find_lareqa("xquad-r", root / "plain")


def test_no_network_names_both_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOGLOT_DATA", raising=False)
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    source = lareqa.LAREQA["xquad-r"]
    # nothing listens on port 9 (discard) of this machine
    monkeypatch.setitem(lareqa.LAREQA, "xquad-r", source._replace(url="http://127.0.0.1:9/xquad-r"))
    with pytest.raises(InputError, match=r"ISOGLOT_DATA.*--data-dir") as caught:
        load_benchmark("xquad-r")
    assert "\n" not in str(caught.value)


def test_a_changed_download_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pooch")
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "ar.json").write_text("{}")
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        source = lareqa.LAREQA["xquad-r"]
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setitem(lareqa.LAREQA, "xquad-r", source._replace(url=url))
        with pytest.raises(InputError, match=r"ar.json is not the file that isoglot knows"):
            lareqa.download_lareqa("xquad-r")
        server.shutdown()
    assert not (tmp_path / "cache" / "lareqa" / "xquad-r" / "ar.json").exists()


# per-language candidates: Elmahdy et al. 2024 (arXiv 2408.10536), appendix; LAReQA, table 2
XQUAD_R = {"ar": 1222, "de": 1276, "el": 1234, "en": 1180, "es": 1215, "hi": 1244}
XQUAD_R |= {"ru": 1219, "th": 852, "tr": 1167, "vi": 1209, "zh": 1196}
MLQA_R = {"ar": 2545, "de": 2362, "en": 6264, "es": 1787, "hi": 2426, "vi": 2828, "zh": 2322}
MLQA_R_QUERIES = {"ar": 517, "de": 512, "en": 1148, "es": 500, "hi": 507, "vi": 511, "zh": 504}


@pytest.mark.realdata
def test_xquad_r_counts() -> None:
    benchmark = load_benchmark("xquad-r", data_dir=lareqa_dir("xquad-r"))
    assert {lang: len(texts) for lang, texts in benchmark.corpus.items()} == XQUAD_R
    assert {lang: len(texts) for lang, texts in benchmark.queries.items()} == dict.fromkeys(XQUAD_R, 1190)
    assert (benchmark.n_queries, benchmark.n_documents) == (13_090, 13_014)
    assert len({key for _, key, _ in benchmark.pooled_queries()}) == 1190
    assert len({key for _, key, _ in benchmark.pooled_documents()}) == 13_014
    # exactly one relevant sentence per language and question
    assert set((benchmark.indptr[1:] - benchmark.indptr[:-1]).tolist()) == {11}
    # paragraphs are parallel: one group is one (article, paragraph) in all languages
    assert len(set(benchmark.query_groups)) == 240
    assert set(Counter(benchmark.query_groups).values()) <= {11 * n for n in range(1, 30)}


@pytest.mark.realdata
def test_mlqa_r_counts() -> None:
    benchmark = load_benchmark("mlqa-r", data_dir=lareqa_dir("mlqa-r"))
    assert {lang: len(texts) for lang, texts in benchmark.corpus.items()} == MLQA_R
    assert {lang: len(texts) for lang, texts in benchmark.queries.items()} == MLQA_R_QUERIES
    assert benchmark.n_documents == 20_534
    in_languages = Counter(Counter(key for _, key, _ in benchmark.pooled_queries()).values())
    assert in_languages == {4: 820, 3: 263, 2: 65}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r"])
def test_pinned_digests_are_those_of_the_files(name: str) -> None:
    from isoglot.files import digest_file

    folder = lareqa_dir(name)
    assert {path.stem: digest_file(path) for path in folder.glob("*.json")} == lareqa.LAREQA[name].sha256


def test_a_natural_pool_has_each_paragraph_in_one_language(tmp_path: Path) -> None:
    """Of twenty parallel paragraphs in three languages; the questions are there in all, the pool is the same every time."""
    for lang in ("de", "en", "fr"):
        own = [paragraph([f"{lang} {n} a.", f"{lang} {n} b."], (f"q{n}", n % 2)) for n in range(20)]
        (tmp_path / f"{lang}.json").write_text(json.dumps({"data": [article(*own)]}))
    plain = load_lareqa(str(tmp_path), Request())
    pool = load_lareqa(str(tmp_path), Request(), natural=True)
    assert pool.queries == plain.queries
    assert pool.query_groups == plain.query_groups
    assert pool.name.endswith("-natural")
    assert pool.about["pool"] == "natural"
    assert (plain.n_documents, pool.n_documents) == (120, 40)
    assert all(len(texts) for texts in pool.corpus.values()), "by chance, all languages have some"
    every = {key: text for texts in plain.corpus.values() for key, text in zip(texts.ids, texts.texts)}
    kept = {key: text for texts in pool.corpus.values() for key, text in zip(texts.ids, texts.texts)}
    assert kept.items() <= every.items()
    assert np.diff(pool.indptr).tolist() == [1] * 60, "every question has its one answer"
    again = load_lareqa(str(tmp_path), Request(), natural=True)
    assert [texts.ids for texts in again.corpus.values()] == [texts.ids for texts in pool.corpus.values()]
