"""Lexicons: what their formats say, and the ways from one language to another."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoglot.data.lexicons.formats.dictd import _whole, parse_entry
from isoglot.data.lexicons.loading import LexiconFile, Lexicons, content_of
from isoglot.data.lexicons.tokens import cased, fold, key_of, words
from isoglot.errors import InputError, LineError
from tests.lexicons import dictd_files, number, write_tsv


def test_lines_of_two_words(tmp_path: Path) -> None:
    tabs = write_tsv(tmp_path / "en-de.train5k.tsv", {"House": "Haus", "water": "Wasser"})
    spaces = tmp_path / "en-de.0-5000.txt.gz"
    spaces.write_bytes(gzip.compress(b"house Haus\nhouse Heim\nwater\tWasser\n"))
    for path, expected in ((tabs, ("Haus",)), (spaces, ("Haus", "Heim"))):
        lookup = Lexicons([str(path)]).lookup("en", "de")
        assert lookup("house") == expected
        assert lookup("water") == ("Wasser",)
        assert lookup("Haus") == ()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("en-de.tsv", "a\tb\nhouse Haus\n", r"en-de\.tsv:2: expected a word, a tab and a translation"),
        ("en-de.tsv", "house\tHaus\tHeim\n", r":1: expected a word, a tab"),
        ("en-de.tsv", "house\t \n", r":1: expected a word, a tab"),
        ("en-de.txt", "a b\nnew york New\n", r"en-de\.txt:2: expected a word and a translation, found 3 word"),
        ("en-de.tsv", "", "no translations"),
        ("en-de.tsv", "?\t!\n", "no translations"),
        ("en-de.index", "house\tB\n", r"no en-de\.dict or en-de\.dict\.dz beside it"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        Lexicons([str(tmp_path / name)])


@pytest.mark.parametrize("packed", [True, False])
def test_dictionaries_of_the_dict_server(tmp_path: Path, packed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in dictd_files(packed=packed).items():
        (tmp_path / name).write_bytes(data)
    lexicons = Lexicons([str(tmp_path / "freedict-eng-deu.index")])
    lookup = lexicons.lookup("en", "de")
    assert lookup("bank") == ("Bank", "Geldhaus", "Ufer"), "no notes, examples, references"
    assert lookup("city") == ("Stadt",), "no definition, no number of the next sense"
    assert lookup("water") == ("Wasser",), "no explanation of many words, no alternatives"
    assert lookup("why") == ("kyon nahi",)
    assert lookup("and bob your uncle") == ("und fertig",), "the entry's spelling, not the index's"
    about = lexicons.lexicons[0].about()
    assert (about["translations"], about["left_out"]) == (7, 2)
    assert "en-de (languages by its name), 5 words and phrases, 7 translations; 2 left out" in capsys.readouterr().err


@given(st.integers(0, 64**10 - 1))
def test_numbers_of_an_index(value: int) -> None:
    assert _whole(number(value), Path("i"), 1) == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bank\tB", "expected a headword, an offset and a size"),
        ("bank\tB-\tC", "'B-': expected a number of base 64"),
        ("bank\t\tC", "expected a number of base 64 of at most 10 digits"),
        ("bank\tA\tB//", r"the entry ends at byte 8191, freedict-eng-deu\.dict\.dz at \d+"),
    ],
)
def test_a_malformed_index_is_refused(tmp_path: Path, line: str, message: str) -> None:
    files = dictd_files()
    files["freedict-eng-deu.index"] += f"{line}\n".encode()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(LineError, match=rf"freedict-eng-deu\.index:7: .*{message}"):
        Lexicons([str(tmp_path / "freedict-eng-deu.index")])


def test_a_dictionary_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    for name, data in dictd_files().items():
        (tmp_path / name).write_bytes(data[:-20] if name.endswith(".dz") else data)
    with pytest.raises(InputError, match=r"freedict-eng-deu\.dict\.dz: not a complete dictzip file"):
        Lexicons([str(tmp_path / "freedict-eng-deu.index")])


def test_an_alias_keeps_the_word_of_the_index() -> None:
    assert list(parse_entry("colour", "color /k/ <n>\nFarbe")) == [("colour", "Farbe")]


def test_titles_lose_their_qualifiers(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "en-de.titles.tsv", {"Mercury_(planet)": "Merkur (Planet)", "New_York": "New York"})
    lexicons = Lexicons([str(path)])
    assert lexicons.lexicons[0].file.format.name == "titles"
    assert lexicons.lookup("en", "de")("mercury") == ("Merkur",)
    assert lexicons.lookup("en", "de")("new york") == ("New York",)


def test_ways_between_languages(tmp_path: Path) -> None:
    write_tsv(tmp_path / "en-de.tsv", {"house": "Haus", "home": "Haus", "dog": "Hund"})
    write_tsv(tmp_path / "en-fr.tsv", {"house": "maison", "home": "foyer"})
    lexicons = Lexicons([str(tmp_path / name) for name in ("en-de.tsv", "en-fr.tsv")])
    assert lexicons.languages == ("de", "en", "fr")
    assert [lexicons.way(*pair) for pair in (("en", "de"), ("fr", "en"), ("de", "fr"), ("de", "tr"))] == [
        "direct",
        "inverted",
        "through en",
        "",
    ]
    assert lexicons.lookup("de", "en")("haus") == ("house", "home")
    assert lexicons.lookup("de", "fr")("haus") == ("maison", "foyer")
    assert lexicons.lookup("de", "fr")("hund") == ()
    with pytest.raises(InputError, match=r"no lexicon leads from 'de' to 'tr' \(there are en-de, en-fr\)"):
        lexicons.lookup("de", "tr")


def test_several_lexicons_are_added_to_each_other(tmp_path: Path) -> None:
    first = write_tsv(tmp_path / "en-de.tsv", {"house": "Haus"})
    second = write_tsv(tmp_path / "en-de.more.tsv", {"house": "Heim", "dog": "Hund"})
    lookup = Lexicons([str(first), str(second)]).lookup("en", "de")
    assert (lookup("house"), lookup("dog")) == (("Haus", "Heim"), ("Hund",))


def test_how_lexicons_are_asked_for(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "words", {"a": "b"})
    file = LexiconFile.parse(f"eng-zh-TW=tsv:{path}")
    assert (file.source, file.target, file.format.name, file.guessed) == ("en", "zh-Hant", "tsv", False)
    tsv = write_tsv(tmp_path / "words.tsv", {"a": "b"})
    for spec, message in (
        (str(tmp_path / "none.tsv"), "no such file"),
        (str(tsv), "its name does not begin with two languages"),
        (f"en=tsv:{path}", "'en' is not two languages"),
        (f"en-xx={tsv}", "'en-xx' is not two languages"),
        (f"en-eng={tsv}", "both languages are 'en'"),
        (
            f"en-de={path}",
            r"unknown format of a lexicon \(known: FILE\.index, FILE\.txt, FILE\.titles\.tsv, FILE\.tsv\)",
        ),
    ):
        with pytest.raises(InputError, match=message):
            LexiconFile.parse(spec)


def test_a_lexicon_is_also_looked_for_among_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As named first; then in `$ISOGLOT_DATA/lexicons`, by which a spec needs no path."""
    (tmp_path / "lexicons").mkdir()
    there = write_tsv(tmp_path / "lexicons" / "en-de.tsv", {"house": "Haus"})
    monkeypatch.setenv("ISOGLOT_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert LexiconFile.parse("en-de.tsv").path == Path(there)
    assert LexiconFile.parse("en-de=tsv:en-de.tsv").path == Path(there)
    here = write_tsv(tmp_path / "en-de.tsv", {"house": "Gebäude"})
    assert LexiconFile.parse("en-de.tsv").path.resolve() == Path(here).resolve()
    with pytest.raises(InputError, match=r"en-fr\.tsv"):
        LexiconFile.parse("en-fr.tsv")


def test_content_is_that_of_the_files(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "en-de.tsv", {"a": "b"})
    other = write_tsv(tmp_path / "en-de.copy.tsv", {"a": "b"})
    assert content_of([str(path)]) == content_of([str(other)])
    before = content_of([str(path)])
    write_tsv(path, {"a": "c, and more"})
    assert content_of([str(path)]) != before
    assert Lexicons([str(path)]).lookup("en", "de")("a") == ("c, and more",), "a changed file is read again"


def test_words_of_a_text() -> None:
    def cut(text: str, lang: str) -> list[str]:
        return [text[begin:end] for begin, end in words(text, lang)]

    assert cut("The dog's well-known “home”, isn't it? 3.5%", "en") == [
        *("The", "dog", "well", "known", "home", "isn't", "it", "3", "5")
    ]
    assert cut("पानी की (बोतल)", "hi") == ["पानी", "की", "बोतल"], "marks belong to their words"
    assert cut("ΝΕΡΌ. Wasser\u00a0", "el") == ["ΝΕΡΌ", "Wasser"]


def test_words_of_languages_without_spaces() -> None:
    pytest.importorskip("icu4py")
    text = "😀我喜欢狗。New!"
    assert [text[begin:end] for begin, end in words(text, "zh")] == ["我", "喜欢", "狗", "New"]
    assert [end - begin for begin, end in words("ภาษาไทย", "th")] == [4, 3]
    assert len(words("私は犬が好きです", "ja")) == 6


def test_the_package_for_languages_without_spaces_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from isoglot.data.lexicons.tokens import _breaker

    _breaker.cache_clear()
    monkeypatch.setitem(sys.modules, "icu4py.breakers", None)
    with pytest.raises(InputError, match=r"pip install 'isoglot\[switch\]'"):
        words("我", "zh")


def test_case() -> None:
    assert fold("Straße", "de") == fold("STRASSE", "de")
    assert fold("CAFE\u0301", "fr") == fold("café", "fr")
    assert (fold("IRAK", "tr"), fold("İzmir", "tr"), fold("I", "en")) == ("ırak", "izmir", "i")
    assert fold("don’t", "en") == "don't" == key_of("Don’t", "en")
    assert key_of("New-York  (City)", "en") == "new york city"
    assert [cased(*given) for given in (("haus", "House", "de"), ("Haus", "house", "de"), ("iyi", "Good", "tr"))] == [
        *("Haus", "Haus", "İyi")
    ]
