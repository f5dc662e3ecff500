"""Word pairs out of lexicons: one to one, counted, and control pairs of words that nothing is trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoglot.data.lexicons.word_pairs import WordPairs, read_word_pairs, split
from isoglot.errors import InputError
from tests.lexicons import write_tsv


def made(source: str, target: str, n: int, first: int = 0) -> WordPairs:
    words = tuple(f"{source}{number}" for number in range(first, first + n))
    texts = tuple(f"{target}{number}" for number in range(first, first + n))
    return WordPairs(source, target, words, texts, tuple(frozenset({text}) for text in texts))


def test_words_are_paired_once_and_what_is_left_out_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ("house Haus", "house Heim", "home haus", "hotel Hotel", "cat die_Katze", "cat Katze", "dog ein_Hund")
    lines = "".join(row.replace(" ", "\t").replace("_", " ") + "\n" for row in rows)
    lines += "new york\tNeuyork\ngive up\taufgeben\n"
    (tmp_path / "en-de.tsv").write_text(lines)
    more = write_tsv(tmp_path / "en-de.more.tsv", {"water": "Wasser", "house": "Gebäude"})
    (pairs,) = read_word_pairs([str(tmp_path / "en-de.tsv"), str(more)])
    assert pairs.name == "en-de"
    assert dict(zip(pairs.words, pairs.translations)) == {"house": "Haus", "cat": "Katze", "water": "Wasser"}
    assert pairs.accepted[0] == {"haus", "heim", "gebäude"}
    assert (
        "3 word pairs of 8 words; left out 3 with phrases, 1 spelled alike, 1 whose translation another word has"
        in capsys.readouterr().err
    )
    (pairs,) = read_word_pairs([str(tmp_path / "en-de.tsv")], copies=True)
    assert "hotel" in pairs.words


def test_several_languages_keep_the_order_of_the_lexicons(tmp_path: Path) -> None:
    for name in ("en-fr", "de-en"):
        write_tsv(tmp_path / f"{name}.tsv", {"a": "b", "c": "d"})
    every = read_word_pairs([str(tmp_path / "en-fr.tsv"), str(tmp_path / "de-en.tsv")])
    assert [pairs.name for pairs in every] == ["en-fr", "de-en"]


def test_a_lexicon_without_two_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"en-de: its lexicons have 1 pair\(s\)"):
        read_word_pairs([str(write_tsv(tmp_path / "en-de.tsv", {"a": "b", "x": "x"}))])


@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 9))
def test_no_word_of_a_control_pair_is_trained_on(trained: int, control: int, seed: int) -> None:
    every = [made("en", "de", 60), made("en", "fr", 60, first=20), made("de", "tr", 60, first=10)]
    groups = split(every, trained, control, seed)
    seen = {word for part, _ in groups for word in (*part.words, *part.translations)}
    for part, held in groups:
        assert len(part) == trained
        assert 2 <= len(held) <= control
        assert not seen.intersection((*held.words, *held.translations))


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="en-de: 30 word pairs, fewer than 20 to train on and 11 control pairs"):
        split([made("en", "de", 30)], 20, 11, 0)


def test_other_seeds_draw_other_pairs_and_a_word_keeps_its_place() -> None:
    pairs = made("en", "de", 40)
    assert pairs.drawn(0).words != pairs.drawn(1).words
    assert sorted(pairs.drawn(1).words) == sorted(pairs.words)
    fewer = pairs.take(range(20)).drawn(0).words
    assert [word for word in pairs.drawn(0).words if word in fewer] == list(fewer)
