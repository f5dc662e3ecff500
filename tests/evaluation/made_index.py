"""Small indexes whose vectors are known: a meaning per number in a text, and as much of its language as is wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.data.pairs.table import PairTable
from isoglot.evaluation import collection_bias, collection_questions
from isoglot.records import Float32Array, PairRow
from isoglot.retrieval.collection import background, searcher
from isoglot.retrieval.collection.build import index
from isoglot.retrieval.collection.settings import CollectionSettings

LANGUAGES = ("de", "en", "th")
_WIDTH = 48
_TEXT = re.compile(r"(\w+) (\d+) in (\w\w)")


class Made:
    """A model: the vector of "... 7 in de ..." has a meaning of 7, a little of its first word, and `strength` of "de"."""

    def __init__(self, strength: float, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self._random = random.standard_normal((400, _WIDTH)) / np.sqrt(_WIDTH)
        self._strength = strength

    def encode_query(self, texts: Sequence[str], **_: Any) -> Float32Array:
        return np.stack([self._vector(text) for text in texts]).astype(np.float32)

    encode_document = encode_query

    def _vector(self, text: str) -> Any:
        if (found := _TEXT.search(text)) is None:
            return np.concatenate([np.ones(_WIDTH), np.zeros(len(LANGUAGES))])
        word, number, lang = found.groups()
        meaning = self._random[int(number)] + 0.2 * self._random[300 + sum(map(ord, word)) % 100]
        mark = self._strength * (np.array(LANGUAGES) == lang)
        return np.concatenate([meaning / np.linalg.norm(meaning), mark])


def languages_in(texts: Sequence[str]) -> list[str | None]:
    """In the place of what tells the language of a question."""
    return [found[3] if (found := _TEXT.search(text)) else None for text in texts]


def made_facts(spec: str, **_: Any) -> PairTable:
    """In the place of `facts:`: 60 pairs in the languages of the index."""
    wanted = [lang for lang in spec.partition(":")[2].split(",") if lang] or LANGUAGES
    return PairTable.from_rows(
        [
            PairRow("facts", str(n), lang, f"fact {n} in {lang}", f"answer {n} in {lang}", str(n))
            for n in range(200, 260)
            for lang in wanted
        ]
    )


def small_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few generated facts, so that tests take no time with them."""
    for module in (background, collection_questions):
        monkeypatch.setattr(module, "load_pairs", made_facts)


def known_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Languages of questions are what stands in their texts."""
    for module in (searcher, collection_bias):
        monkeypatch.setattr(module, "told", languages_in)


def text_of(number: int, lang: str, chunks: int = 1) -> str:
    return "\n\n".join(f"part{place} {number} in {lang} and some more words here ." for place in range(chunks))


def documents(n: int, *, titled: bool = True, translated: bool = True, chunks: int = 1) -> list[dict[str, Any]]:
    """n groups of translations in all languages; every third document has more chunks than the others, if they have several."""
    return [
        {
            "id": f"{lang}-{number}",
            "lang": lang,
            "text": text_of(number, lang, 1 + (chunks - 1) * (number % 3 == 0)),
            **({"title": f"title {number} in {lang}"} if titled else {}),
            **({"translation": f"g{number}"} if translated else {}),
        }
        for number in range(n)
        for lang in LANGUAGES
    ]


def write_index(folder: Path, rows: Sequence[dict[str, Any]], **models: Any) -> Path:
    """Index rows by models (name=strength, or name=directory)."""
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for place, (name, model) in enumerate(models.items()):
        source = model if isinstance(model, Path) else folder / f"{name}-{model}"
        if not isinstance(model, Path):
            source.mkdir()
            (source / "config.json").write_text(json.dumps({"strength": model}))
        given = None if place else CollectionSettings(chunk_tokens=16)
        index(str(source), None if place else str(corpus), folder / "index", given, name=name, progress=False)
    return folder / "index"


@pytest.fixture
def made_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories that `write_index` makes are loaded as models of `Made`."""
    from isoglot.models import load

    def load_model(source: str, **_: Any) -> Made:
        return Made(json.loads((Path(source) / "config.json").read_text())["strength"])

    small_facts(monkeypatch)
    known_languages(monkeypatch)
    monkeypatch.setattr(load, "load_model", load_model)
