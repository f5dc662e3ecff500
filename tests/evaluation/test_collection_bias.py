"""`isoglot bias`: what is known to be fair is found fair, what is not is measured as it is, in the rankings of a search."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.errors import InputError
from isoglot.evaluation import collection_bias as module
from isoglot.evaluation.collection_bias import collection_bias
from isoglot.evaluation.collection_bias_page import page
from isoglot.evaluation.collection_bias_report import format_bias
from isoglot.evaluation.collection_figures import mix_figures, success_figures
from isoglot.evaluation.collection_heads import BEYOND, Pool, best_documents, heads, mixed, rank_of
from isoglot.evaluation.collection_questions import drawn, groups_of, questions_of
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.collection import Collection, Searcher
from isoglot.retrieval.collection.build import index
from isoglot.retrieval.fair import Fair
from isoglot.retrieval.fusions import Fusion
from isoglot.retrieval.fusions.quota import Quota, RoundRobin
from isoglot.retrieval.fusions.raw import Raw
from isoglot.retrieval.ties import tie_positions
from tests.evaluation.made_index import LANGUAGES, documents, made_models, text_of, write_index

__all__ = ["made_models"]
pytestmark = pytest.mark.usefixtures("made_models")


def measured(path: Path, *fairness: str, **options: Any) -> list[dict[str, Any]]:
    systems: list[dict[str, Any]] = collection_bias(path, fairness=fairness or ("raw",), progress=False, **options)[
        "systems"
    ]
    return systems


def test_vectors_without_a_language_are_fair(tmp_path: Path) -> None:
    (system,) = measured(write_index(tmp_path, documents(60), plain=0.0))
    mean = system["mix"]["mean"]
    assert mean["expected"] == pytest.approx(1 / 3)
    assert 0.85 < mean["ratio"] < 1.15
    assert mean["interval"][0] < 1.1
    assert mean["interval"][1] > 0.9
    assert mean["distance"] < 0.1
    for key in ("same", "other"):
        for where in ("pooled", "alone"):
            assert system["success"][key][where]["Success@1"] == 1
    assert len(system["success"]["pairs"]) == 9


def test_a_strong_language_fills_the_head_and_hides_translations_and_mixing_repairs_it(tmp_path: Path) -> None:
    path = write_index(tmp_path, documents(60), marked=3.0)
    raw, standardised, turns = measured(path, "raw", "standardised", "round-robin")
    assert raw["mix"]["mean"]["own"] == 1
    assert raw["mix"]["mean"]["ratio"] == pytest.approx(3)
    assert raw["mix"]["mean"]["interval"] == pytest.approx([3, 3])
    assert raw["mix"]["mean"]["distance"] == pytest.approx(2 / 3)
    assert raw["success"]["same"]["pooled"]["Success@1"] == 1
    assert raw["success"]["other"]["pooled"]["Success@10"] == 0
    assert raw["success"]["other"]["alone"]["Success@1"] == 1
    assert raw["success"]["by_document_language"]["th"] == {"same": 1, "other": 0, "gap": 1}
    assert len(raw["success"]["worst"]) == 6
    assert 0.7 < standardised["mix"]["mean"]["ratio"] < 1.3
    assert standardised["success"]["other"]["pooled"]["Success@1"] > 0.95
    # the places of three languages in turn: 3 or 4 of 10, and the one answer stands among the first three
    assert 0.9 <= turns["mix"]["mean"]["ratio"] <= 1.2
    assert turns["success"]["other"]["pooled"]["Success@10"] == 1
    assert turns["success"]["other"]["pooled"]["Success@1"] < 0.5


def test_models_stand_beside_each_other_and_can_be_named(tmp_path: Path) -> None:
    path = write_index(tmp_path, documents(20), plain=0.0, marked=2.0)
    systems = measured(path, "raw", "quota")
    assert [(s["model"], s["fairness"]) for s in systems] == [
        ("plain", "raw"),
        ("plain", "quota"),
        ("marked", "raw"),
        ("marked", "quota"),
    ]
    assert systems[0]["mix"]["mean"]["ratio"] < systems[2]["mix"]["mean"]["ratio"]
    (named,) = collection_bias(path, ["marked"], progress=False)["systems"]
    assert named == systems[2]


@pytest.mark.parametrize("fairness", ["raw", "standardised", "round-robin", "quota"])
def test_the_mix_is_that_of_a_search(tmp_path: Path, fairness: str) -> None:
    """Documents of several chunks, two of the languages with fewer documents; nothing is left out of unrelated questions."""
    rows = [row for row in documents(40, translated=False, chunks=3) if row["lang"] == "de" or int(row["id"][3:]) % 2]
    path = write_index(tmp_path, rows, marked=0.5)
    with Collection.open(path) as collection:
        asked = questions_of(collection, 12)
        assert asked.kind == "unrelated"
        assert collection.counts().chunks > collection.counts().documents
        with Searcher(collection) as searcher:
            answers = searcher.search(asked.texts, 10, fairness=fairness, sentences=False)
    found: dict[str, Counter[str]] = {lang: Counter() for lang in LANGUAGES}
    for answer, lang in zip(answers, asked.languages):
        found[lang] += Counter(hit.lang for hit in answer.hits)
    (system,) = measured(path, fairness, groups=12)
    assert system["success"] is None
    for lang, counts in found.items():
        shares = {other: counts[other] / counts.total() for other in LANGUAGES}
        assert system["mix"]["matrix"][lang] == pytest.approx(shares, abs=1e-6)


def naive(pool: Pool, fair: Fair, scores: Float32Array, kept: Any, asked: str) -> IntArray:
    """Every chunk that counts, in the order of a search."""
    places = np.flatnonzero(kept)
    language = np.searchsorted(pool.offsets, places, side="right") - 1
    order = fair.order(scores[places], language, pool.ties[places], pool.languages, asked)
    found: IntArray = places[order]
    return found


@pytest.mark.parametrize("fusion", [Raw(), RoundRobin(), Quota(shares={"a": 5.0, "b": 1.0, "c": 2.0})])
def test_heads_are_enough_for_the_best_documents_and_for_any_rank(fusion: Fusion) -> None:
    random, k = np.random.default_rng(1), 5
    sizes = {"a": 90, "b": 30, "c": 3}
    n, width = sum(sizes.values()), 8
    vectors = random.standard_normal((n, width)).astype(np.float16)
    owner = random.integers(0, 20, n)
    owner[:60] = 7  # one document that fills the head of its language with its chunks
    language = np.repeat(np.arange(3), list(sizes.values()))
    keys = np.arange(n) + 100
    pool = Pool(
        tuple(sizes),
        np.cumsum([0, *sizes.values()]),
        keys,
        owner + 1000 * language,
        vectors,
        tie_positions([str(key) for key in keys]),
    )
    queries = random.standard_normal((6, width)).astype(np.float32)
    queries[0] = vectors[:60].astype(np.float32).mean(axis=0)
    left_out = [np.array([], dtype=np.int64), *(random.choice(np.unique(pool.documents), 6) for _ in range(5))]
    fair = Fair(fusion, None, {})
    for query, head in enumerate(heads(pool, queries, lambda number: left_out[number], k)):
        scores = (vectors.astype(np.float64) @ queries[query].astype(np.float64)).astype(np.float32)
        counts = ~np.isin(pool.documents, left_out[query])
        ordered = naive(pool, fair, scores, counts, "a")
        expected = list(dict.fromkeys(pool.documents[ordered].tolist()))
        best = best_documents(pool, mixed(pool, head, fair, "a"), k)
        assert pool.documents[best].tolist() == expected[:k]
        for document in np.unique(pool.documents[~counts]).tolist():
            own = np.flatnonzero(pool.documents == document)
            at = int(language[own[0]])
            whole = naive(pool, fair, scores, counts | (pool.documents == document), "a")
            rank = list(dict.fromkeys(pool.documents[whole].tolist())).index(document) + 1
            found = rank_of(pool, mixed(pool, head.with_target(own, scores[own], at), fair, "a"), document, k)
            assert found == (rank if rank <= k else BEYOND)


def test_figures_of_shares() -> None:
    query, groups = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    top = np.array([[0, 0], [0, 1], [1, 1], [1, 1]])
    sizes = np.tile([30.0, 10.0], (4, 1))
    figures = mix_figures(["a", "b"], query, groups, top, sizes)
    assert figures["matrix"] == {"a": {"a": 0.75, "b": 0.25}, "b": {"a": 0.0, "b": 1.0}}
    a, b = figures["by_language"]["a"], figures["by_language"]["b"]
    assert (a["own"], a["expected"], a["ratio"], a["others"], a["distance"]) == (0.75, 0.75, 1.0, 0.0, 0.0)
    assert a["interval"] == pytest.approx([0.5 / 0.75, 1 / 0.75], abs=1e-6)
    assert (b["own"], b["expected"], b["ratio"], b["others"], b["distance"]) == (1.0, 0.25, 4.0, 0.25, 0.75)
    mean = figures["mean"]
    assert (mean["own"], mean["expected"], mean["ratio"]) == (0.875, 0.5, 1.75)
    assert mean["distance"] == 0.375
    none = mix_figures(["a", "b"], query[:1], groups[:1], top[:1], np.array([[0.0, 5.0]]))["by_language"]["a"]
    assert (none["ratio"], none["interval"]) == (None, None)


def test_figures_of_ranks() -> None:
    """Three answers: in the same language at rank 1; in the other at 4 in the pool and 2 alone, and not found."""
    figures = success_figures(
        ["a", "b"],
        np.array([0, 0, 0]),
        np.array([0, 1, 1]),
        np.array([0, 0, 1]),
        {"pooled": np.array([1, 4, BEYOND]), "alone": np.array([1, 2, BEYOND])},
    )
    assert figures["same"]["pooled"] == {"Success@1": 1.0, "Success@10": 1.0, "RR@10": 1.0}
    assert figures["other"]["pooled"] == {"Success@1": 0.0, "Success@10": 0.5, "RR@10": 0.125}
    assert figures["other"]["alone"]["RR@10"] == 0.25
    assert figures["other"]["interval"] == [0.0, 1.0]
    assert figures["worst"] == [], "of two questions nothing is told"
    assert [pair["questions"] for pair in figures["pairs"]] == [1, 2]


def test_titles_are_asked_and_bodies_are_found(tmp_path: Path) -> None:
    rows = documents(8, chunks=2)
    rows[0]["text"] = f"{rows[0]['title']}. {text_of(0, 'de')}"  # begins with its title
    rows[3]["title"] = rows[4]["title"] = "The same"  # in two languages
    rows[9]["text"] = "short"
    path = write_index(tmp_path, [*rows, {**rows[6], "id": "again"}], plain=0.0)
    with Collection.open(path) as collection:
        asked = questions_of(collection)
        groups = groups_of(collection)
        names = drawn(groups, 300, 0)
    assert drawn(groups, 3, 0) == names[:3]
    assert (asked.kind, asked.there, asked.bodies) == ("titles", 8, True)
    # group 3 has a document without a text beside its title
    assert sorted(set(names)) == [f"g{n}" for n in range(8)]
    assert asked.left_out == {
        "groups with a document that is its title alone": 1,
        "titles or first sentences that are the same in another language": 2,
        "titles that several documents of a language have": 1,
    }
    assert len(asked.texts) == 7 * 3 - 2 - 1
    assert "The same" not in asked.texts
    for (_, lang), item in asked.items.items():
        assert item.bodies
        assert not any("title" in body for body in item.bodies)
        assert all(f"in {lang}" in body for body in item.bodies)
    assert sorted(len(members) for members in asked.members) == [3] * 6 + [4], "also the second one in a language"


def test_without_titles_first_sentences_are_asked_and_the_rest_is_found(tmp_path: Path) -> None:
    rows = [
        {**row, "text": f"Question {row['id'][3:]} in {row['lang']}.\n\n{row['text']}"}
        for row in documents(6, titled=False)
    ]
    path = write_index(tmp_path, rows, plain=0.0)
    with Collection.open(path) as collection:
        asked = questions_of(collection)
    assert (asked.kind, asked.bodies) == ("first sentences", True)
    assert sorted(asked.texts) == sorted(f"Question {n} in {lang}." for n in range(6) for lang in LANGUAGES)
    assert not any("Question" in body for item in asked.items.values() for body in item.bodies)


def test_texts_of_one_sentence_are_not_asked_in_their_own_language(tmp_path: Path) -> None:
    path = write_index(tmp_path, documents(30, titled=False), marked=3.0)
    (system,) = measured(path)
    assert system["success"]["same"] is None
    assert {(pair["query"], pair["document"]) for pair in system["success"]["pairs"]} == {
        (a, b) for a in LANGUAGES for b in LANGUAGES if a != b
    }
    assert system["success"]["other"]["alone"]["Success@1"] == 1
    record = collection_bias(path, progress=False)
    assert "not in the question's own language" in format_bias(record)
    assert "Found, its language alone" in page(record)


def test_the_command_prints_a_table_json_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_index(tmp_path, documents(40), marked=2.0)
    words = ["bias", str(path), "--groups", "25", "--seed", "3", "--fairness", "raw", "standardised"]
    assert main([*words, "--strength", "0.5", "--output", str(tmp_path / "bias.html")]) == 0
    printed = capsys.readouterr().out
    assert "120 documents in 3 languages" in printed
    assert "75 questions in 3 languages: titles of 25 of 40 groups of translated documents" in printed
    assert "# marked, standardised 0.5" in printed
    assert "Worst pairs of languages" in printed
    assert f"$ isoglot bias {path} --groups 25 --seed 3 --fairness raw standardised" in printed
    html = (tmp_path / "bias.html").read_text("utf-8")
    assert html.count("<svg") == 8
    assert "<script" not in html
    assert 'src="' not in html
    assert f"isoglot bias {path} --groups 13 --seed 3 --pairs marked-pairs.jsonl" in html
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["questions"]["groups"] == 25
    assert record["questions"]["language_told"] == {"right": 75, "wrong": 0, "not_sure": 0}
    assert len(record["repairs"]) == 3


def test_a_page_shows_names_as_they_are(tmp_path: Path) -> None:
    record = collection_bias(write_index(tmp_path, documents(20), plain=0.0), progress=False)
    record["index"]["path"] = "<b>x</b> & 'y'"
    html = page(record)
    assert "&lt;b&gt;x&lt;/b&gt; &amp; " in html
    assert "<b>x" not in html
    assert "nan" not in html.lower().replace("finance", "")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["nowhere"], "no index is there"),
        (["index", "--model", "plane"], "did you mean 'plain'"),
        (["index", "--strength", "0.5"], "only with the fairness standardised"),
        (["index", "--fairness", "standardised", "--strength", "2"], "a number from 0 to 1"),
        (["index", "--output", "page.pdf"], "ends in .html"),
        (["index", "--groups", "0"], "--groups must be at least 1"),
        (["index", "--pairs", "p.jsonl", "--model", "plain"], "--model: not with --pairs"),
        (["index", "--pairs", "p.csv"], "ends in .jsonl"),
        (["index", "--pairs", "p.jsonl"], "all 12 groups of translations are measured; give fewer with --groups"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_index(tmp_path, documents(12), plain=0.0)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["bias", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert problem in error
    assert "\n" not in error
    assert not (tmp_path / "p.jsonl").exists()


def test_an_index_of_one_language_or_of_one_group_is_refused(tmp_path: Path) -> None:
    for name, rows in (("one", [r for r in documents(5) if r["lang"] == "de"]), ("all", documents(1))):
        (tmp_path / name).mkdir()
        path = write_index(tmp_path / name, rows, plain=0.0)
        with pytest.raises(InputError, match=r"between languages|translations of each other"):
            collection_bias(path, progress=False)


def test_a_writer_that_comes_between_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_index(tmp_path, documents(12), plain=0.0)
    load = module.load_entry

    def load_late(*given: Any) -> Any:
        index(None, None, path, delete=["de-3"], progress=False)
        return load(*given)

    monkeypatch.setattr(module, "load_entry", load_late)
    with pytest.raises(InputError, match="was changed while it was read"):
        collection_bias(path, progress=False)


def test_pairs_are_of_what_is_not_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_index(tmp_path, documents(20, chunks=2), plain=0.0)
    out = tmp_path / "pairs.jsonl"
    assert main(["bias", str(path), "--groups", "6", "--seed", "1", "--pairs", str(out)]) == 0
    assert "42 pairs of 14 groups of translations (de 14, en 14, th 14)" in capsys.readouterr().out
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    with Collection.open(path) as collection:
        asked = questions_of(collection, 6, 1)
    assert not {row["query"] for row in rows} & set(asked.texts)
    assert len({row["id"] for row in rows} | {f"g{text.split()[1]}" for text in asked.texts}) == 20
    assert all(row["query"] == f"title {row['id'][1:]} in {row['lang']}" for row in rows)
    assert all(row["passage"] == text_of(int(row["id"][1:]), row["lang"]) for row in rows)
    assert main(["bias", str(path), "--pairs", str(out)]) == 2
