"""The zero-shot audit: what is a duplicate in eleven scripts, what is a leak, what is only reported."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.data.audit.match import Distinct, Match, NearIndex, Target, sketch, training_chunks
from isoglot.data.audit.run import run_audit
from isoglot.data.audit.texts import ENOUGH, jaccard, shingles, size
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import normalise
from isoglot.errors import InputError
from isoglot.records import Benchmark, PairRow, Texts
from tests.data.test_lareqa import EN
from tests.realdata import lareqa_dir

QUESTIONS = {
    "en": ["Who discovered the northern passage in 1903?", "Why do bees dance in front of the hive?", "How old?"],
    "th": ["ใครเป็นผู้ค้นพบเส้นทางเดินเรือทางเหนือ", "ทำไมผึ้งจึงเต้นรำหน้ารังของมัน", "กี่ปี"],
    "zh": ["谁在一九〇三年发现了北方航道?", "蜜蜂为什么在蜂巢前面跳舞?", "多大?"],
}
ANSWERS = {
    "en": ["The passage was first crossed by Roald Amundsen.", "They tell the others where the flowers are.", "Yes."],
    "th": ["ผู้ที่ข้ามผ่านเส้นทางนี้เป็นคนแรกคือโรอัลด์ อามุนด์เซน", "มันบอกตัวอื่นว่าดอกไม้อยู่ที่ไหน", "ใช่"],
    "zh": ["第一个穿越这条航道的人是罗阿尔德·阿蒙森。", "它们告诉同伴花在什么地方可以找到。", "是的。"],
}
DISTRACTORS = {
    "en": "Ferries leave the old harbour every second hour in summer.",
    "th": "เรือข้ามฟากออกจากท่าเรือเก่าทุกสองชั่วโมงในฤดูร้อน",
    "zh": "夏天渡轮每隔两小时从旧港口开出一班。",
}


def benchmark(prefix: str = "q") -> Benchmark:
    queries = {lang: Texts([f"{prefix}{n}" for n in range(3)], texts) for lang, texts in QUESTIONS.items()}
    corpus = {
        lang: Texts([f"{lang}{n}" for n in range(4)], [*texts, DISTRACTORS[lang]]) for lang, texts in ANSWERS.items()
    }
    pairs = [(q * 3 + n, d * 4 + n) for q in range(3) for d in range(3) for n in range(3)]
    flat = np.array(pairs, dtype=np.int64)
    return make_benchmark("toy", queries, corpus, Judgments(flat[:, 0], flat[:, 1], np.ones(len(flat))))


def table(*rows: tuple[str, str, str], key: str = "p", negatives: tuple[str, ...] = ()) -> PairTable:
    """Pairs (language, query, passage) beside one that has nothing to do with anything."""
    other = PairRow(
        "made", "other", "en", "What colour is the moon at noon in Lisbon?", "Nobody has ever looked up then."
    )
    made = [PairRow("made", f"{key}{n}", *row, None, negatives) for n, row in enumerate(rows)]
    return PairTable.from_rows([other, *made])


def audit(pairs: PairTable, against: Benchmark | None = None) -> dict[str, Any]:
    found = run_audit([("data", pairs, [against or benchmark()])], progress=False)
    assert json.loads(json.dumps(found)) == found
    return found["comparisons"][0]


def side(comparison: dict[str, Any], training: str, evaluation: str) -> dict[str, Any]:
    return next(s for s in comparison["sides"] if (s["training"], s["evaluation"]) == (training, evaluation))


FILL = "Something else entirely, which no text of the benchmark says."


def test_normalised_texts() -> None:
    assert normalise("  What is\u200b “ﬁne”?\n") == normalise("WHAT IS 'fine'!") == "whatisfine"
    # vowel signs and tone marks are parts of words, spaces in Thai and Chinese are not
    assert normalise("ที่ นี่") == normalise("ที่นี่") != normalise("ทีนี")
    assert normalise("हिन्दी") != normalise("हनद")
    assert normalise("北方 航道。") == "北方航道"
    assert normalise("STRASSE") == normalise("straße")
    assert normalise("?! … —") == ""
    assert [size(normalise(text)) for text in ("yes", "北方航道", "ひらがな", "한국어", "ที่นี่")] == [3, 12, 8, 6, 6]


def test_shingles_are_of_one_text_each() -> None:
    texts = ["abcdef", "", "ab", "蜜蜂跳舞", "xabcdefx"]
    together = shingles(texts)
    assert [len(part) for part in together] == [3, 0, 1, 3, 5]
    for text, part in zip(texts, together):
        assert np.array_equal(part, shingles([text])[0])
    assert jaccard(together[0], together[4]) == 3 / 5
    assert jaccard(together[1], together[1]) == 0


def test_near_duplicates_are_those_of_brute_force() -> None:
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghij"))
    texts = ["".join(random.choice(letters, 60)) for _ in range(40)]
    for text in texts[:20]:  # copies with 1 to 3 changed letters
        changed = list(text)
        for place in random.choice(60, random.integers(1, 4), replace=False):
            changed[place] = "z"
        texts.append("".join(changed))
    hashes, minhashes = sketch(texts)
    found = NearIndex(texts).look_up(hashes, minhashes)
    wanted = [
        (i, j, jaccard(hashes[i], hashes[j]))
        for i in range(len(texts))
        for j in range(len(texts))
        if jaccard(hashes[i], hashes[j]) >= 0.8
    ]
    assert found == wanted
    # some copies are near enough, some not, and every text is its own duplicate
    assert len(texts) < len(found) < len(texts) + 40


def test_nothing_in_common_is_clean() -> None:
    found = run_audit([("data", table(), [benchmark()])], progress=False)
    assert found["leaks"] is False
    assert found["summary"] == [
        "data -> toy: clean: nothing of the 9 questions and 12 passages of toy was trained on, not even a short one."
    ]
    assert found["comparisons"][0]["affected"] == {"ids": 0, "of": 3, "share": 0.0}


@pytest.mark.parametrize("lang", ["en", "th", "zh"])
def test_a_question_or_an_answer_that_was_trained_on_is_a_leak(lang: str) -> None:
    spaced = "  " + QUESTIONS[lang][0].upper().replace("?", " ?!")
    found = audit(table((lang, spaced, FILL)))
    assert found["leak"]
    assert found["leaks"] == {"queries": 1, "documents": 0, "ids": 0}
    assert found["affected"]["ids"] == 1
    counted = side(found, "query", "queries")["by_language"]
    assert [counted[code]["leaks"] for code in ("en", "th", "zh")] == [int(code == lang) for code in ("en", "th", "zh")]
    found = audit(table((lang, FILL, ANSWERS[lang][1])))
    assert found["leaks"] == {"queries": 0, "documents": 1, "ids": 0}
    assert found["affected"] == {"ids": 1, "of": 3, "share": pytest.approx(1 / 3)}
    # as a negative it was seen as well
    assert audit(table((lang, FILL, FILL), negatives=(ANSWERS[lang][1],)))["leaks"]["documents"] == 1


@pytest.mark.parametrize("lang", ["en", "th", "zh"])
def test_a_sentence_inside_a_training_paragraph_is_a_leak(lang: str) -> None:
    found = audit(table((lang, FILL, f"{DISTRACTORS['en']} {ANSWERS[lang][0]} {FILL}")))
    assert found["leaks"]["documents"] == 1
    total = side(found, "passage", "documents")["total"]
    assert (total["exact"], total["near"], total["contained"]) == (0, 0, 1)
    example = side(found, "passage", "documents")["examples"][0]
    assert (example["kind"], example["leak"], example["evaluation"]["id"]) == ("contained", True, f"{lang}0")


def test_parts_are_found_at_every_place_and_only_whole() -> None:
    part = "thepassagewasfirstcrossedbyamundsen"
    begins, ends, broken = f"{part}andnooneelse", f"itiswellknownthat{part}", part.replace("amundsen", "nansenin1903")
    target = Target(Distinct.of([(0, part)]), [0])

    def holder(*longer: str) -> int | None:
        found: dict[int, Match] = {}
        for chunk in training_chunks(Distinct.of(enumerate(longer))):
            target.compare(chunk, found)
        return found[0].training if found else None

    assert holder("nothingofthekind", begins) == holder(begins.replace("the", "a"), ends, begins) == 1
    # the end of one text and the beginning of the next are no text
    assert holder(broken) is holder(f"somewhere{part[:20]}", f"{part[20:]}orso") is None


def test_a_near_duplicate_is_a_leak_and_its_similarity_is_exact() -> None:
    text = "The passage was first crossed by Roald Amundsen!!"
    near = text.replace("Roald", "Roals")
    found = audit(table(("en", FILL, near)))
    total = side(found, "passage", "documents")["total"]
    assert (total["exact"], total["near"], total["leaks"]) == (0, 1, 1)
    example = side(found, "passage", "documents")["examples"][0]
    one, two = shingles([normalise(text), normalise(near)])
    assert example["similarity"] == round(jaccard(one, two), 3) >= 0.8


def test_short_texts_distractors_and_exchanged_sides_are_reported_only() -> None:
    found = audit(table(("en", "How old?", "Yes."), ("zh", "多大?", DISTRACTORS["zh"])))
    assert not found["leak"]
    queries, documents = side(found, "query", "queries")["total"], side(found, "passage", "documents")["total"]
    assert (queries["exact"], queries["short"], queries["leaks"]) == (2, 2, 0)
    assert (documents["exact"], documents["short"], documents["leaks"]) == (2, 1, 0)
    assert "4 further texts in common, reported only" in found["summary"]
    found = audit(table(("en", ANSWERS["en"][0], QUESTIONS["en"][1])))
    assert not found["leak"]
    assert side(found, "query", "documents")["total"]["exact"] == 1
    assert side(found, "passage", "queries")["total"]["exact"] == 1
    assert size(normalise("How old?")) < ENOUGH <= size(normalise(DISTRACTORS["zh"]))


def test_a_long_id_in_common_is_a_leak_without_a_text() -> None:
    long = "56beb4343aeaaa14008c925b"
    pairs = table(("en", FILL, "Another text that is nowhere else."), key=long[:-1])
    assert not audit(pairs)["leak"]
    found = audit(PairTable.from_rows([PairRow("m", f"{long}0", "fi", FILL, FILL)]), benchmark(long))
    assert found["leaks"] == {"queries": 0, "documents": 0, "ids": 1}
    assert not audit(PairTable.from_rows([PairRow("m", "q0", "fi", FILL, FILL)]))["leak"]


def test_examples_are_short_and_leaks_come_first() -> None:
    long = "word " * 100 + "unlike any other"
    corpus = {"en": Texts(["a", "b"], [long, "Ferries leave the old harbour in summer, and no one knows why. " * 20])}
    one = np.array([0])
    toy = make_benchmark("toy", {"en": Texts(["q"], ["Who?"])}, corpus, Judgments(one, one, np.ones(1)))
    found = audit(
        PairTable.from_rows([PairRow("m", str(n), "en", FILL, t) for n, t in enumerate(corpus["en"].texts)]), toy
    )
    examples = side(found, "passage", "documents")["examples"]
    assert [(e["leak"], e["evaluation"]["id"]) for e in examples] == [(True, "a"), (False, "b")]
    assert max(len(e[part]["text"]) for e in examples for part in ("training", "evaluation")) == 120


def test_several_data_and_benchmarks_in_order_and_alike_every_time() -> None:
    toy, other = benchmark(), load_benchmark("faq", languages=["en"])
    leaky, clean = table(("en", QUESTIONS["en"][0], FILL)), table()
    datasets = [("leaky", leaky, [toy, other]), ("clean", clean, [toy])]
    found = run_audit(datasets, progress=False)
    assert [(c["data"], c["benchmark"], c["leak"]) for c in found["comparisons"]] == [
        ("leaky", "toy", True),
        ("leaky", "faq", False),
        ("clean", "toy", False),
    ]
    assert found["leaks"] is True
    assert json.dumps(run_audit(datasets, progress=False)) == json.dumps(found)


def test_large_corpora_are_compared_by_their_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoglot.data.audit.report.MOST_DOCUMENTS", 5)
    found = audit(table(("en", FILL, DISTRACTORS["en"]), ("th", FILL, ANSWERS["th"][0])))
    assert found["leaks"]["documents"] == 1
    assert side(found, "passage", "documents")["total"]["texts"] == 9
    assert len(found["notes"]) == 1


def test_without_datasketch_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(InputError, match=r"isoglot\[study\]"):
        run_audit([("data", table(), [benchmark()])], progress=False)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text number {n} of a longer list of training texts" for n in range(30)]
    training, target = Distinct.of(enumerate(texts)), Target(Distinct.of(enumerate(texts[5:25])))

    def compared() -> dict[int, Any]:
        found: dict[int, Any] = {}
        for chunk in training_chunks(training):
            target.compare(chunk, found)
        return found

    whole = compared()
    monkeypatch.setattr("isoglot.data.audit.match.chunks", lambda texts: ([text] for text in texts))
    assert compared() == whole
    assert len(whole) == 20


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"id": "1", "lang": "en", "query": load_benchmark("faq").queries["en"].texts[0], "passage": FILL}
    leaky = tmp_path / "leaky.jsonl"
    leaky.write_text(json.dumps(fields) + "\n", encoding="utf-8")
    clean = tmp_path / "clean.jsonl"
    clean.write_text(json.dumps({**fields, "query": FILL}) + "\n", encoding="utf-8")
    assert main(["data", "audit", str(leaky), "--against", "faq", "--quiet"]) == 1
    shown = capsys.readouterr().out
    assert "LEAK" in shown
    assert fields["query"] in shown
    output = tmp_path / "audit.json"
    assert (
        main(
            [
                "data",
                "audit",
                str(clean),
                "--against",
                "faq",
                "--json",
                "--output",
                str(output),
                "--quiet",
                "--overwrite",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out) == json.loads(output.read_text(encoding="utf-8"))
    assert main(["data", "audit", str(clean), "--against", "fqa"]) == 2
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "en.json").write_text(json.dumps(EN))
    digests = set()
    for context in ("sentence", "paragraph"):
        words = [
            "--against",
            "faq",
            str(tmp_path / "r"),
            "--context",
            context,
            "--output",
            str(output),
            "--quiet",
            "--overwrite",
        ]
        assert main(["data", "audit", str(clean), *words]) == 0
        faq, own = json.loads(output.read_text())["comparisons"]
        digests |= {faq["digests"]["benchmark"], own["digests"]["benchmark"]}
    assert len(digests) == 3, "the context is that of all that have one"
    assert "did you mean 'faq'" in capsys.readouterr().err


@pytest.mark.realdata
@pytest.mark.slow
def test_mlqa_r_and_xquad_r_share_nothing() -> None:
    """All of English and Chinese; training on a benchmark is found."""
    names = ("mlqa-r", "xquad-r")
    data = {n: load_pairs([f"lareqa:{lareqa_dir(n)}"], languages=["en", "zh"]) for n in names}
    tests = {n: load_benchmark(n, languages=["en", "zh"]) for n in names}
    found = run_audit([(n, data[n], [tests[other] for other in names]) for n in names], progress=False)
    leaks = {(c["data"], c["benchmark"]): c["affected"]["share"] for c in found["comparisons"]}
    assert leaks == {(a, b): float(a == b) for a in names for b in names}
