"""Misaligned translations, found by vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoglot.records import PairRow
from isoglot.retrieval.misalignment import Similarity


class Meanings:
    """A model in miniature: a text is the number of its meaning, and its language shifts every vector."""

    def __init__(self, n: int) -> None:
        generator = np.random.default_rng(0)
        self.meanings, self.shift = generator.normal(size=(n, 16)), generator.normal(size=(3, 16)) * 5

    def __call__(self, text: str) -> Any:
        lang, meaning = text.split()
        return self.meanings[int(meaning)] + self.shift[("de", "en", "fr").index(lang)]


def find(rows: list[PairRow], monkeypatch: Any, **settings: Any) -> list[int]:
    known = Meanings(len(rows))
    monkeypatch.setattr(
        "isoglot.retrieval.misalignment.encode_texts",
        lambda model, texts, side, languages: np.array([known(text) for text in texts], dtype=np.float32),
    )
    return [found.row for found in Similarity(model="m", **settings).find_by(None, rows)]


def rows(n: int, *langs: str) -> list[PairRow]:
    return [PairRow("s", str(key), lang, f"q {lang} {key}", f"{lang} {key}") for key in range(n) for lang in langs]


def test_a_passage_of_another_pair_is_found(monkeypatch: Any) -> None:
    good = rows(60, "de", "en", "fr")
    assert find(good, monkeypatch) == []
    bad = list(good)
    bad[31] = PairRow("s", good[31].id, "en", "q", "en 59")
    assert find(bad, monkeypatch) == [31]
    assert find(bad[:1], monkeypatch) == [], "nothing to compare with"


def test_of_two_languages_both_sides_are_suspect(monkeypatch: Any) -> None:
    bad = rows(60, "de", "en")
    bad[0] = PairRow("s", "0", "de", "q", "de 59")
    assert set(find(bad, monkeypatch)) <= {0, 1} != set()
