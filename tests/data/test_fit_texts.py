"""Texts that corrections are fitted on: pairs, corpora of texts, benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isoglot.data.fit_texts import first_texts, read_sources, texts_of
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, LineError
from isoglot.records import PairRow


def corpus(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def table(n: int = 40) -> PairTable:
    rows = [PairRow("made", str(i), lang, f"q{i} {lang}", f"p{i} {lang}") for i in range(n) for lang in ("de", "en")]
    return PairTable.from_rows(rows)


def test_languages_have_the_texts_of_the_same_pairs() -> None:
    texts = texts_of(table(), 10)
    queries, passages = texts.sides["query"], texts.sides["passage"]
    assert [len(own.texts) for own in (*queries.values(), *passages.values())] == [10] * 4
    assert (queries["de"].pairs == queries["en"].pairs).all()
    assert (queries["de"].pairs == passages["en"].pairs).all()
    for number, de, en in zip(queries["de"].pairs.tolist(), queries["de"].texts, passages["en"].texts):
        assert (de, en) == (f"q{number} de", f"p{number} en")
    assert texts_of(table(), 10).digest == texts.digest != texts_of(table(), 10, seed=1).digest
    assert len(texts_of(table(), 1000)) == 160, "all of them, where there are fewer"


def test_a_corpus_is_passages_and_ids_make_translations(tmp_path: Path) -> None:
    rows = [{"id": i, "lang": lang, "text": f"t{i} {lang}"} for lang in ("deu", "en") for i in range(5)]
    sources = read_sources([corpus(tmp_path / "c.jsonl", [*rows, {"lang": "fr", "text": "seul"}])])
    assert sources.pairs is None
    own = sources.texts.sides["passage"]
    assert list(sources.texts.sides) == ["passage"]
    assert {lang: len(numbered.texts) for lang, numbered in own.items()} == {"de": 5, "en": 5, "fr": 1}
    assert set(own["de"].pairs.tolist()) == set(own["en"].pairs.tolist())
    assert own["fr"].pairs[0] not in own["de"].pairs
    few = first_texts(sources.texts, 3).sides["passage"]
    assert (few["de"].pairs == few["en"].pairs).all()
    numbers = [[text.split()[0] for text in few[lang].texts] for lang in ("de", "en")]
    assert numbers[0] == numbers[1]


def test_csv_pairs_and_benchmarks_together(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("lang,text\nde,Hallo Welt\nit,Ciao\n", encoding="utf-8")
    sources = read_sources([str(tmp_path / "c.csv"), "facts:de,en", "faq"], ["de", "en"])
    assert sources.benchmarks == ("faq",), "figures on it are marked"
    assert sources.pairs is not None
    assert sources.pairs.languages == sources.texts.languages == ("de", "en")
    assert "Hallo Welt" in sources.texts.sides["passage"]["de"].texts
    queries = sources.texts.sides["query"]
    assert set(queries["de"].pairs.tolist()) == set(queries["en"].pairs.tolist())
    with pytest.raises(InputError, match="no texts in sw"):
        read_sources([str(tmp_path / "c.csv")], ["sw"])


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"lang": "de"}, "field 'text' is missing"),
        ({"lang": "xx-yy-zz", "text": "a"}, "xx-yy-zz"),
        ({"lang": "de", "text": " "}, "field 'text' is empty"),
        ({"lang": "de", "text": "b", "id": "first"}, "id 'first' in 'de' is there already"),
        ({"lang": "de", "text": "b", "id": [1]}, "field 'id' must be text or a whole number"),
    ],
)
def test_a_bad_row_is_named(row: dict[str, object], problem: str, tmp_path: Path) -> None:
    path = corpus(tmp_path / "c.jsonl", [{"lang": "de", "text": "a", "id": "first"}, row])
    with pytest.raises(LineError, match=r"c\.jsonl:2: ") as caught:
        read_sources([path])
    assert problem in str(caught.value)
