"""The FAQ benchmark: complete, in the right scripts, apart from the training facts."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.members.faq import read_faq
from isoglot.data.facts.generate import generate_facts
from isoglot.data.facts.wordings import CORE

SCRIPTS = {"ar": "ARABIC", "el": "GREEK", "hi": "DEVANAGARI", "ru": "CYRILLIC", "th": "THAI", "zh": "CJK"}
ROWS = list(read_faq())


def test_at_least_120_questions_in_eleven_languages() -> None:
    assert len(ROWS) >= 120
    assert len({row["topic"] for row in ROWS}) >= 20
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert {key for key, value in row.items() if isinstance(value, dict)} == set(CORE)


@pytest.mark.parametrize("lang", CORE)
def test_texts_of_a_language(lang: str) -> None:
    texts = [row[lang][part] for row in ROWS for part in ("question", "answer")]
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert text == text.strip() == unicodedata.normalize("NFC", text)
        assert "\n" not in text
        letters = Counter(unicodedata.name(char, "").split(" ")[0] for char in text if char.isalpha())
        assert letters.most_common(1)[0][0] == SCRIPTS.get(lang, "LATIN"), text
    for row in ROWS:
        question, answer = row[lang]["question"], row[lang]["answer"]
        least, most = (6, 30) if lang == "zh" else (15, 100)
        assert least <= len(question) <= most, question
        assert 1.4 * len(question) <= len(answer) <= (70 if lang == "zh" else 240), answer


@pytest.mark.parametrize("lang", CORE)
def test_an_answer_says_more_than_its_question(lang: str) -> None:
    for row in ROWS:
        question, answer = (trigrams(row[lang][part]) for part in ("question", "answer"))
        assert len(question & answer) <= 0.35 * len(answer), row[lang]


def trigrams(text: str) -> set[str]:
    return {text[n : n + 3].casefold() for n in range(len(text) - 2)}


def test_corpus_has_distractors_and_shares_no_text_with_training() -> None:
    benchmark = load_benchmark("faq")
    training = {text.casefold() for fact in generate_facts() for text in (fact.query, fact.passage)}
    for lang, texts in benchmark.corpus.items():
        assert len(texts) >= len(ROWS) + 120, lang
        assert len(set(texts.texts)) == len(texts)
        assert not training & {text.casefold() for text in texts.texts}
    assert not training & {text.casefold() for _, _, text in benchmark.pooled_queries()}
    assert benchmark.n_queries == len(ROWS) * len(CORE)
    assert benchmark.relevant.size == benchmark.n_queries * len(CORE)
