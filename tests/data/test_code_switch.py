"""Code-switched texts and pairs: what changes, what never does, and that nothing but seed and text decides it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoglot.cli.main import main
from isoglot.data.lexicons.switch import Coverage, SwitchSettings
from isoglot.data.lexicons.tokens import words
from isoglot.data.pairs.table import PairTable, read_rows
from isoglot.data.transform.members.code_switch import CodeSwitch
from isoglot.errors import InputError
from isoglot.records import PairRow
from tests.lexicons import write_tsv

DE = {"the": "die", "cat": "katze", "sleeps": "schläft", "New York": "Neu York", "york": "york-de", "city": "Stadt"}
FR = {"the": "le", "cat": "chat", "sleeps": "dort"}


@pytest.fixture
def lexicons(tmp_path: Path) -> list[str]:
    return [str(write_tsv(tmp_path / f"en-{lang}.tsv", table)) for lang, table in (("de", DE), ("fr", FR))]


def switched(settings: SwitchSettings, text: str, into: list[str], source: str = "en", seed: int = 0) -> str:
    return settings.switcher(source, into).switch(text, np.random.default_rng(seed))


def test_all_known_words_and_no_others(lexicons: list[str]) -> None:
    every = SwitchSettings(lexicon=lexicons, switch_probability=1)
    coverage = Coverage()
    text = "The cat's  caterpillar\tsleeps, (the) CAT concatenates!\n"
    made = every.switcher("en", ["de"]).switch(text, np.random.default_rng(0), coverage)
    assert made == "Die katze's  caterpillar\tschläft, (die) Katze concatenates!\n", "words, not parts of words"
    assert coverage.to_dict() == {"de": {"words": 7, "known": 5, "switched": 5, "coverage": 0.7143, "share": 0.7143}}
    assert switched(every.model_copy(update={"switch_probability": 0.0}), text, ["de"]) == text
    assert switched(every, "nothing known here", ["fr"]) == "nothing known here"


def test_one_word_at_a_time_but_for_titles(lexicons: list[str]) -> None:
    text = "The New-York city cat, New, York."
    assert switched(SwitchSettings(lexicon=lexicons, switch_probability=1), text, ["de"]) == (
        "Die New-York-de Stadt katze, New, York-de."
    )
    titles = SwitchSettings(lexicon=lexicons, switch_mode="titles")
    assert titles.probability == 1
    assert switched(titles, text, ["de"]) == "Die Neu York Stadt katze, New, York-de.", (
        "the longest first, and no comma inside"
    )


def test_by_hand(lexicons: list[str]) -> None:
    """The numbers of the generator decide, word by word: replaced below p, then the language, then the translation."""
    text, into, p = "the cat sleeps the cat", ["de", "fr"], 0.5
    replaced, languages, _ = np.random.default_rng(7).random((3, 5))
    expected = [
        (DE, FR)[int(language * 2)][word] if draw < p else word
        for word, draw, language in zip(text.split(), replaced, languages)
    ]
    assert switched(SwitchSettings(lexicon=lexicons), text, into, seed=7) == " ".join(expected)
    assert expected == ["the", "cat", "sleeps", "le", "katze"], ".63 .90 .78 .23 .30, and .80 .47 for languages"


def test_a_higher_probability_switches_the_same_words_and_more(lexicons: list[str]) -> None:
    text = " ".join(["the cat sleeps"] * 20)
    before: set[int] = set()
    for p in (0.25, 0.5, 0.75, 1.0):
        made = switched(SwitchSettings(lexicon=lexicons, switch_probability=p), text, ["de", "fr"]).split()
        places = {place for place, (word, old) in enumerate(zip(made, text.split())) if word != old}
        assert before < places
        before = places
    assert len(before) == 60


def test_the_first_translations_are_drawn_from(tmp_path: Path) -> None:
    path = tmp_path / "en-de.tsv"
    path.write_text("".join(f"a\tt{number}\n" for number in range(6)))
    for most, expected in ((1, 1), (3, 3), (9, 6)):
        settings = SwitchSettings(lexicon=[str(path)], switch_probability=1, switch_translations=most)
        made = Counter(switched(settings, "a " * 500, ["de"]).split())
        assert set(made) == {f"t{number}" for number in range(expected)}
        assert min(made.values()) > 350 / expected


def test_languages_without_spaces(tmp_path: Path) -> None:
    pytest.importorskip("icu4py")
    zh = str(write_tsv(tmp_path / "en-zh.tsv", {"dog": "狗", "like": "喜欢", "artificial intelligence": "人工智能"}))
    every = SwitchSettings(lexicon=[zh], switch_probability=1)
    assert switched(every, "I like dogs, dog!", ["zh"]) == "I 喜欢 dogs, 狗!"
    assert switched(every, "我喜欢狗。狗喜欢人工智能", ["en"], "zh") == "我 like dog。dog like artificial intelligence"


TEXTS = st.lists(
    st.sampled_from(["the", "The", "cat", "sleeps", "concat", "x", " ", "  ", ", ", "-", "'", "!", "\n", "é", "ि"]),
    max_size=20,
).map("".join)


@given(TEXTS, st.floats(0, 1), st.integers(0, 99), st.sampled_from(["bilingual", "titles"]))
def test_whatever_is_not_replaced_stays(
    tmp_path_factory: pytest.TempPathFactory, text: str, p: float, seed: int, mode: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "hypothesis-lexicon"
    if not folder.exists():
        folder.mkdir()
        write_tsv(folder / "en-de.tsv", {"the": "⟦die⟧", "cat": "⟦katze⟧", "the cat": "⟦diekatze⟧"})
    settings = SwitchSettings(lexicon=[str(folder / "en-de.tsv")], switch_mode=mode, switch_probability=p)
    made = switched(settings, text, ["de"], seed=seed)
    assert made == switched(settings, text, ["de"], seed=seed)
    spans = words(text, "en")
    old, place = "", 0  # the text again, by undoing the replacements one after the other
    for piece in made.replace("⟧", "⟦").split("⟦"):
        if piece not in ("die", "katze", "diekatze"):
            old, place = old + piece, place + len(piece)
            continue
        begin, end = next(span for span in spans if span[0] == place)
        if piece == "diekatze":
            end = next(span for span in spans if span[0] > begin)[1]
        assert text[begin:end].lower().replace("-", " ").split() == {"diekatze": ["the", "cat"]}.get(
            piece, [{"die": "the", "katze": "cat"}.get(piece, "")]
        )
        old, place = old + text[begin:end], end
    assert old == text


# pairs


def rows(n: int = 12) -> list[PairRow]:
    """Every third shares its passage with the next."""
    return [
        PairRow(
            source="s",
            id=str(number),
            lang="en",
            query=f"cat {number} sleeps?",
            passage=f"The cat {number - (number % 3 == 1)} sleeps.",
            negatives=("the cat",),
            document_id=f"d{number // 4}",
        )
        for number in range(n)
    ]


def by_key(table: PairTable) -> dict[tuple[str, str], PairRow]:
    return {(row.id, row.lang): row for row in read_rows(table.table)}


def test_rows_are_added_under_the_codes_of_the_languages(lexicons: list[str]) -> None:
    table = PairTable.from_rows([*rows(), replace(rows()[0], lang="de", query="Katze?", passage="Eine Katze.")])
    transform = CodeSwitch(lexicon=lexicons, switch_probability=1)
    made, report = transform.switch(table)
    found = by_key(made)
    assert {key: found[key] for key in by_key(table)} == by_key(table), "what is there stays"
    assert found["0", "de"].query == "Katze?", "a translation is better than a switched text"
    assert found["1", "de"] == replace(
        rows()[1], lang="de", query="katze 1 schläft?", passage="Die katze 0 schläft.", negatives=("die katze",)
    )
    facts = report.to_dict()
    assert (facts["rows_read"], facts["rows_written"]) == (13, 36) == (len(table), len(made))
    assert (facts["rows_added"], facts["rows_there"]) == ({"fr": 12, "de": 11}, {"de": 1})
    assert facts["words"]["fr"] == {
        "way": "direct",
        "words": 12 * 9,
        "known": 12 * 7,
        "switched": 12 * 7,
        "coverage": 0.7778,
        "share": 0.7778,
    }


def test_a_text_is_switched_alike_wherever_it_stands(lexicons: list[str]) -> None:
    """Pairs with one passage have one afterwards, also where only the switched rows are trained on; slices give the same."""
    transform = CodeSwitch(lexicon=lexicons)
    table = PairTable.from_rows(rows())
    whole = by_key(transform.apply(table))
    backwards = by_key(transform.apply(PairTable.from_rows(rows()[::-1])))
    slices = [by_key(transform.apply(PairTable.from_rows(rows()[begin : begin + 5]))) for begin in (0, 5, 10)]
    assert whole == backwards == {key: row for part in slices for key, row in part.items()}
    assert whole["0", "de"].passage == whole["1", "de"].passage
    german = PairTable.from_rows([row for row in whole.values() if row.lang == "de"])
    assert german.index.n_groups == table.index.n_groups == 8
    other = by_key(CodeSwitch(lexicon=lexicons, switch_seed=1).apply(table))
    assert any(other[key].passage != row.passage for key, row in whole.items())


def test_sides_modes_and_languages(lexicons: list[str]) -> None:
    table = PairTable.from_rows(rows())

    def made(**more: Any) -> dict[tuple[str, str], PairRow]:
        return by_key(CodeSwitch(lexicon=lexicons, **{"switch_probability": 1, **more}).apply(table))

    only = made(switch_sides="queries", switch_languages=["fra"])
    assert {lang for _, lang in only} == {"en", "fr"}
    assert (only["2", "fr"].query, only["2", "fr"].passage) == ("chat 2 dort?", rows()[2].passage)
    assert only["2", "fr"].negatives == rows()[2].negatives
    mixed = made(switch_mode="multilingual")
    assert {lang for _, lang in mixed} == {"en", "mul"}
    texts = " ".join(row.passage for (_, lang), row in mixed.items() if lang == "mul")
    assert {"Die", "Le", "katze", "chat", "schläft", "dort"} <= set(texts.replace(".", "").split())
    assert made(switch_probability=0)["3", "de"] == replace(rows()[3], lang="de")


def test_from_another_language_through_english(lexicons: list[str]) -> None:
    german = [
        PairRow("s", str(number), "de", "Schläft die Katze?", f"Die Katze {number} ist müde.") for number in range(2)
    ]
    table = PairTable.from_rows([*german, replace(german[1], id="2", lang="fr")])
    made, report = CodeSwitch(
        lexicon=lexicons, switch_from="de", switch_languages=["fr", "en"], switch_probability=1
    ).switch(table)
    found = by_key(made)
    assert found["1", "fr"].query == "Dort le Chat?"
    assert found["1", "en"].passage == "The Cat 1 ist müde."
    assert report.ways == {"en": "inverted", "fr": "through en"}
    assert report.pairs_without_source == 1


def test_what_cannot_be_done_is_said(lexicons: list[str], tmp_path: Path) -> None:
    table = PairTable.from_rows(rows())
    for given_settings, message in (
        ({"switch_from": "de"}, r"pairs: no pairs in de \(languages there: en\)"),
        ({"switch_languages": ["en"]}, "switch_languages: nothing but 'en'"),
        ({"switch_languages": ["th"]}, "no lexicon leads from 'en' to 'th'"),
        ({"lexicon": [str(tmp_path / "en-xh.tsv")]}, "no such file"),
    ):
        with pytest.raises(InputError, match=message):
            CodeSwitch(**{"lexicon": lexicons, **given_settings}).apply(table)
    for wrong, message in (
        ({"lexicon": []}, "lexicon"),
        ({"switch_probability": 1.5}, "switch_probability must be at most 1"),
        ({"switch_mode": "bilingal"}, "switch_mode"),
        ({"switch_translations": 0}, "switch_translations must be at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            CodeSwitch(**{"lexicon": lexicons, **wrong})


def test_the_command(lexicons: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    pairs.write_text("".join(json.dumps({**vars(row), "document_passages": None}) + "\n" for row in rows()))
    command = ["data", "switch", str(pairs), "--lexicon", *lexicons, "--output", str(out)]
    assert main([*command, "--switch-probability", "1"]) == 0
    shown = capsys.readouterr().out
    assert "36 rows: 12 that were there and 24 switched (0 of them with nothing to switch)" in shown
    assert "77.8%" in shown
    first = out.read_bytes()
    assert main([*command, "--switch-probability", "1"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*command, "--switch-probability", "1", "--overwrite", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert out.read_bytes() == first
    assert facts["rows_written"] == first.count(b"\n") == 36
    assert [lexicon["words"] for lexicon in facts["lexicons"]] == [len(DE), len(FR)]
    assert main(["data", "check", str(out)]) == 0
    assert main(["plan", "--pairs", str(out), "--strategy", "cross", "--batch-size", "8", "--steps", "5"]) == 0
    assert "de" in capsys.readouterr().out
