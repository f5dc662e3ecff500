"""CSV files as programs and spreadsheets write them: separators, encodings, layouts, names of columns."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoglot.data.encodings import guess_encoding
from isoglot.data.pairs.check import check_pairs
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.source import read_source
from isoglot.data.pairs.sources.table import with_columns
from isoglot.errors import InputError, LineError
from isoglot.records import PairRow

COLUMNS = ("id", "lang", "query", "passage")
LONG = [["1", "en", "who?", "a, b; c\nd"], ["1", "de", "wär?", "„Zeile“"], ["2", "en", "what", 'the "cat"']]


def table(
    rows: list[list[str]],
    header: tuple[str, ...] | list[str] = COLUMNS,
    *,
    encoding: str = "utf-8",
    before: str = "",
    **dialect: Any,
) -> bytes:
    sink = io.StringIO(newline="")
    sink.write(before)
    csv.writer(sink, **dialect).writerows([header, *rows])
    return sink.getvalue().encode(encoding)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(spec: str) -> list[tuple[str, str, str, str]]:
    found = []
    for row, path, _ in read_source(spec):
        assert isinstance(row, PairRow), row
        assert path in spec
        found.append((row.id, row.lang, row.query, row.passage))
    return found


def refused(spec: str) -> str:
    def first_error() -> None:
        for row, _, _ in read_source(spec):
            if isinstance(row, LineError):
                raise row

    with pytest.raises(InputError) as caught:
        first_error()
    return str(caught.value)


# what a cell may hold: everything but NUL, half pairs and a byte order mark; texts are stripped when they are read
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), min_size=1).map(str.strip).filter(bool)
LATIN = st.text(st.characters(codec="cp1252", exclude_characters="\0"), min_size=1).map(str.strip).filter(bool)
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t"),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
    }
)
ENCODINGS = {
    "utf-8": "",
    "utf-8-sig": "",
    "utf-16": "",
    "utf-16-le": "utf-16-le",
    "cp1252": "cp1252",
    "latin-1": "latin-1",
}


@settings(max_examples=200, deadline=None)
@given(st.data(), DIALECTS, st.sampled_from(list(ENCODINGS)), st.booleans(), st.booleans())
def test_what_is_written_is_read(
    data: st.DataObject, dialect: dict[str, Any], encoding: str, excel: bool, wide: bool
) -> None:
    """Every separator, quoting, end of line, encoding and layout; a named encoding where the file does not say it itself."""
    if encoding == "latin-1":
        cell = LATIN.filter(
            lambda text: max(text) <= "\xff" and text.encode("latin-1", "ignore").decode("latin-1") == text
        )
    else:
        cell = LATIN if encoding == "cp1252" else CELL
    texts = data.draw(st.lists(st.tuples(cell, cell, cell, cell), min_size=1, max_size=4))
    if dialect["quoting"] != csv.QUOTE_ALL:  # Python's writer leaves a lone carriage return without quotes
        texts = [tuple(text.replace("\r", " ") for text in cells) for cells in texts]
    before = f"sep={dialect['delimiter']}{dialect['lineterminator']}" if excel else ""
    if wide:
        header = ["id", "query_en", "passage_en", "query_de", "passage_de"]
        rows = [[str(number), *cells] for number, cells in enumerate(texts)]
    else:
        header = list(COLUMNS)
        rows = [
            [str(n), lang, *cells[2 * k : 2 * k + 2]]
            for n, cells in enumerate(texts)
            for k, lang in enumerate(("en", "de"))
        ]
    expected = [
        (str(number), lang, *cells[2 * place : 2 * place + 2])
        for number, cells in enumerate(texts)
        for place, lang in enumerate(("en", "de"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "p.csv", table(rows, header, encoding=encoding, before=before, **dialect))
        named = ENCODINGS[encoding]
        assert read(f"table:{path}?encoding={named}" if named else str(path)) == expected


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz", "p.tsv"])
@pytest.mark.parametrize(
    "made",
    [
        {"delimiter": ";"},
        {"delimiter": "\t", "encoding": "utf-16"},
        {"delimiter": ";", "encoding": "utf-8-sig"},
        {"delimiter": "|", "before": "sep=|\r\n"},
    ],
)
def test_what_a_file_says_of_itself_is_taken_and_said(
    tmp_path: Path, name: str, made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / name, table(LONG, **made))
    assert read(str(path)) == [tuple(row) for row in LONG]
    said = capsys.readouterr().err
    assert ("separated by" in said) == (not name.endswith(".tsv") or made["delimiter"] != "\t")
    assert ("UTF-16" in said) == (made.get("encoding") == "utf-16")


def test_a_plain_file_is_read_as_before_and_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "p.csv", table(LONG))
    assert read(str(path)) == [tuple(row) for row in LONG]
    one = load_pairs(write(tmp_path / "q.csv", table([["1", "en", "a;b", "c\td"]])))
    assert one.table.column("query").to_pylist() == ["a;b"]
    assert capsys.readouterr().err == ""


def test_the_encoding_of_a_file_that_is_not_utf8_is_guessed_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "p.csv", table(LONG, encoding="cp1252"))
    assert read(str(path)) == [tuple(row) for row in LONG]
    assert f"{path}: not UTF-8; taken to be cp1252, a guess: is '1,de,wär?,„Zeile“' right?" in capsys.readouterr().err
    assert read(f"table:{path}?encoding=cp1252") == [tuple(row) for row in LONG]
    assert capsys.readouterr().err == ""
    assert f"{path}:4: not UTF-8" in refused(f"table:{path}?encoding=utf-8")
    for name in ("rot13", "utf-7", "no-such", "zlib"):
        assert f"unknown encoding '{name}'" in refused(f"table:{path}?encoding={name}")
    marked = write(tmp_path / "m.csv", table(LONG, encoding="utf-8-sig"))
    assert "byte order mark of UTF-8" in refused(f"table:{marked}?encoding=cp1252")
    assert "UTF-32" in refused(str(write(tmp_path / "w.csv", table(LONG, encoding="utf-32"))))


TEXTS = {
    "cp1252": [
        "Où est la bibliothèque ? Là, à côté.",
        "Wie öffne ich die Tür? – „So“",
        "¿Dónde está el niño?",
        "På gården nær søen",
    ],
    "cp1250": [
        "Kde je řeznictví? Vedle školy, u nádraží.",
        "Az erdő szélén, a fűzfánál",
        "Obok szkoły, przy ulicy Źródlanej; wejście",
    ],
    "cp1257": ["Šalia mokyklos, antroje gatvėje, įėjimas"],
    "cp1254": ["Kütüphane nerede? İkinci sokağın köşesinde, girişi ücretsiz"],
    "cp1251": ["Где находится библиотека? Рядом со школой"],
    "cp1253": ["Πού είναι η βιβλιοθήκη; Δίπλα στο σχολείο."],
    "cp932": ["図書館はどこですか？学校の隣にあります。毎日午前九時に開きます。"],
    "gb18030": ["图书馆在哪里？在学校旁边，每天早上九点开门。"],
    "mac_roman": ["Wie öffne ich die Tür?"],
    "": ["\udcff \udcff", "ÿ", "Ünïcödé ☃"],
}


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_a_guess_is_right_or_is_none(tmp_path: Path, encoding: str, text: str) -> None:
    data = f"id,lang,query,passage\n1,en,a,{text}\n2,en,plain,row\n".encode(encoding or "utf-8", "surrogateescape")
    if text == "ÿ":
        data = data.decode().encode("latin-1")
    found = guess_encoding(write(tmp_path / "p.csv", data))
    assert (found and found[0]) == (encoding or None)


def test_what_two_languages_would_write_alike_is_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", table([["1", "tr", "İstanbul’da mı?", "Değil, Şişli"]], encoding="cp1254"))
    assert f"{path}:2: not UTF-8" in refused(str(path)), "an Icelandic text has these bytes, too"
    assert "--columns encoding=" in refused(str(path))
    late = [["1", "en", "a", "b"]] * 3
    mixed = table([[str(n), *row[1:]] for n, row in enumerate(late)]) + "9,de,ä,b\n".encode() + b"8,de,\xe4,b\n"
    assert ":6: not UTF-8" in refused(str(write(tmp_path / "m.csv", mixed))), "damage in a file of UTF-8"


def rows_of(spec: str) -> list[PairRow]:
    return [row for row, _, _ in read_source(spec) if isinstance(row, PairRow)]


def jsonl(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_names_that_other_programs_give_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = write(tmp_path / "p.csv", table([["1", "en", "q", "a"]], ["id", "language", "Question", "Answer"]))
    assert read(str(own)) == [("1", "en", "q", "a")]
    assert "lang is column 'language'" in capsys.readouterr().err
    triplets = jsonl(tmp_path / "t.jsonl", {"anchor": "q", "positive": "a", "negative": "n"})
    (row,) = rows_of(f"table:{triplets}?lang=de")
    assert (row.lang, row.query, row.passage, row.negatives) == ("de", "q", "a", ("n",))
    flag = jsonl(
        tmp_path / "f.jsonl",
        {"query": "q", "pos": ["a", "b"], "neg": ["n", "m"]},
        {"query": "r", "pos": ["c"], "neg": []},
    )
    found = [(row.id, row.query, row.passage, row.negatives) for row in rows_of(f"table:{flag}?lang=de")]
    assert found == [("1-1", "q", "a", ("n", "m")), ("1-2", "q", "b", ("n", "m")), ("2", "r", "c", ())]
    empty = jsonl(tmp_path / "e.jsonl", {"query": "q", "pos": []})
    assert "field 'passage' is empty" in refused(f"table:{empty}?lang=de")
    lost = jsonl(tmp_path / "l.jsonl", {"id": None, "lang": "de", "query": "q", "pos": ["a", "b"]})
    assert "field 'id' is missing" in refused(str(lost))
    positive = [{"docid": "d1", "title": "T", "text": "a"}, {"docid": "d2", "title": "", "text": "b"}]
    tevatron = jsonl(
        tmp_path / "v.jsonl",
        {
            "query_id": 7,
            "query": "q",
            "positive_passages": positive,
            "negative_passages": [{"docid": "x", "text": "n"}],
        },
    )
    found = [(row.id, row.passage, row.passage_id, row.negatives) for row in rows_of(f"table:{tevatron}?lang=de")]
    assert found == [("7-d1", "T a", "d1", ("n",)), ("7-d2", "b", "d2", ("n",))]
    assert "field 'lang' is missing" in refused(str(flag))
    assert "--columns query=query passage=pos lang=COLUMN-OR-LANGUAGE" in refused(str(flag))
    both = write(tmp_path / "b.csv", table([["1", "en", "q", "a", "b"]], ["id", "lang", "query", "answer", "positive"]))
    assert "header lacks passage" in refused(str(both)), "two columns could be it"


def test_the_near_miss_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", table([["1", "en", "q", "a"]], ["id", "lang", "qestion", "answer"]))
    assert "--columns query=qestion passage=answer lang=lang" in refused(str(path))
    lines = jsonl(tmp_path / "p.jsonl", {"id": "1", "lang": "en", "qestion": "q", "answer": "a"})
    assert "--columns query=qestion passage=answer lang=lang" in refused(str(lines))
    alone = write(tmp_path / "faq_de.csv", table([["q", "a"]], ["question", "answer"]))
    assert f"files of several languages: '{tmp_path}/faq_{{lang}}.csv'" in refused(str(alone))


def test_a_file_for_each_language(tmp_path: Path) -> None:
    for lang, rows in {"de": [["wer\nda", "ich"], ["was", "das"]], "en": [["who", "me"], ["what", "that"]]}.items():
        write(tmp_path / f"faq_{lang}.csv", table(rows, ["question", "answer"]))
    found = load_pairs(tmp_path / "faq_{lang}.csv")
    assert (found.index.n_pairs, found.languages, found.index.sources) == (2, ("de", "en"), ("faq",))
    assert found.column("query", found.index.rows[1]) == ["was", "what"], "by place, not by line"
    write(tmp_path / "faq_fr.csv", table([["qui", "moi"]], ["question", "answer"]))
    with pytest.raises(InputError, match=r"parallel by their places.*faq_fr\.csv 1"):
        load_pairs(tmp_path / "faq_{lang}.csv")
    for lang, rows in {"de": [["x", "b", "c"], ["y", "d", "e"]], "en": [["y", "f", "g"]]}.items():
        write(tmp_path / f"own.{lang}.csv", table(rows, ["id", "query", "passage"]))
    assert load_pairs(tmp_path / "own.{lang}.csv").index.n_pairs == 2, "ids say which are parallel"


def test_columns_are_named_on_the_command_line() -> None:
    named = with_columns(["a.csv", "b.jsonl"], {"query": "Häufig & mehr %", "lang": "de"})
    assert named == [f"table:{name}?query=Häufig %26 mehr %25&lang=de" for name in ("a.csv", "b.jsonl")]
    with pytest.raises(InputError, match=r"unknown name 'qurey' \(did you mean 'query'"):
        with_columns(["a.csv"], {"qurey": "x"})
    with pytest.raises(InputError, match="facts:de is none"):
        with_columns(["facts:de"], {"query": "x"})


def test_the_same_file_twice_is_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "p.csv", table(LONG))
    assert len(load_pairs(["p.csv", "./p.csv", str(tmp_path / "p.csv")])) == len(LONG)
    assert "./p.csv: given twice (as p.csv, too); it is read once" in capsys.readouterr().err
    assert check_pairs(["p.csv", "p.csv"]).problems == []


def test_bytes_that_are_no_character_spoil_one_line(tmp_path: Path) -> None:
    data = table([["1", "en", "a", "b"], ["2", "en", "X", "b"], ["3", "en", "c", "d"]]).replace(b"X", b"\x81")
    path = write(tmp_path / "p.csv", data)
    report = check_pairs([f"table:{path}?encoding=cp1252"])
    assert [str(problem) for problem in report.problems] == [f"{path}:3: not cp1252: bytes that are no character in it"]
    assert (report.sources["p"].rows, report.rows_read) == ({"en": 2}, 3)


def test_columns_of_other_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["7", "q", "a", "de"], ["8", "r", "b", "en"]]
    path = write(tmp_path / "p.csv", table(rows, ["Nr", "Question", "Answer", "Language"], delimiter=";"))
    way_out = f"table:{path}?query=Question&passage=Answer&lang=Language&id=Nr"
    assert f"'{way_out}'" in refused(str(path)), "the line names what to write"
    assert "--columns query=Question passage=Answer lang=Language id=Nr" in refused(str(path))
    assert read(way_out) == [("7", "de", "q", "a"), ("8", "en", "r", "b")]
    capsys.readouterr()
    assert read(f"table:{path}?query=Question&passage=Answer&lang=fr") == [("2", "fr", "q", "a"), ("3", "fr", "r", "b")]
    said = capsys.readouterr().err
    assert "all rows are in 'fr'" in said
    assert "the line of a row is its id" in said
    assert "lang=klingonisch: no column" in refused(f"table:{path}?query=Question&passage=Answer&lang=klingonisch")
    assert "header lacks Frage" in refused(f"table:{path}?query=Frage&passage=Answer&lang=de")
    assert "header lacks id" in refused(f"table:{path}?query=Question&passage=Answer&lang=Language")
    assert "unknown option 'kolumn'" in refused(f"table:{path}?kolumn=x")


def test_one_column_per_language(tmp_path: Path) -> None:
    header = ["id", "query_en", "passage_en", "query_deu", "passage_deu", "passage_id"]
    rows = [["1", "q", "a", "f", "b", "x"], ["2", "r", "c", "", "", "y"], ["3", "s", "d", "g", "", ""]]
    path = write(tmp_path / "p.csv", table(rows, header))
    report = check_pairs([str(path)])
    assert report.sources["p"].rows == {"en": 3, "de": 1}
    assert [str(problem) for problem in report.problems] == [
        f"{path}:4: column 'passage_deu' is empty, and 'query_deu' is not"
    ]
    assert load_pairs(write(tmp_path / "q.csv", table(rows[:2], header))).table.column(
        "passage_id"
    ).to_pylist() == list("xxy")
    own = write(
        tmp_path / "o.csv",
        table([["q", "a", "f", "b"]], [f"{side} ({lang})" for lang in ("EN", "de") for side in ("Q", "A")]),
    )
    way_out = f"table:{own}?query=Q ({{lang}})&passage=A ({{lang}})"
    assert way_out in refused(str(own))
    assert read(way_out) == [("2", "en", "q", "a"), ("2", "de", "f", "b")]
    half = write(tmp_path / "h.csv", table([["1", "q", "a", "f"]], ["id", "query_en", "passage_en", "query_de"]))
    assert "only one column of query_{lang} and passage_{lang} for de" in refused(str(half))
    twice = write(
        tmp_path / "t.csv", table([["1", *"qaqa"]], ["id", "query_en", "passage_en", "query_eng", "passage_eng"])
    )
    assert "are one language (en)" in refused(str(twice))


def test_other_formats_by_name_and_what_to_do_with_the_rest(tmp_path: Path) -> None:
    lines = write(
        tmp_path / "p.jsonl", b'{"id": 1, "question": "q", "answer": "a"}\n{"id": 2, "question": "r", "answer": "b"}\n'
    )
    assert read(f"table:{lines}?query=question&passage=answer&lang=de") == [
        ("1", "de", "q", "a"),
        ("2", "de", "r", "b"),
    ]
    assert "encoding is for CSV files" in refused(f"table:{lines}?encoding=cp1252")
    text = write(tmp_path / "t.txt", table(LONG, delimiter="\t", encoding="utf-16"))
    assert read(f"table:{text}") == [tuple(row) for row in LONG]
    piped = write(tmp_path / "pipe.csv", table(LONG, delimiter="|"))
    assert "--columns 'delimiter=...'" in refused(str(piped))
    assert read(f"table:{piped}?delimiter=|") == [tuple(row) for row in LONG]
    assert "expected one sign" in refused(f"table:{piped}?delimiter=ab")
    for name, way_out in (
        ("p.xlsx", "save the sheet as CSV"),
        ("p.json", "one object per line"),
        ("p.txt", "table:FILE"),
    ):
        assert way_out in refused(str(write(tmp_path / name, b"x")))
