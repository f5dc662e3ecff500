"""CSV files as programs and spreadsheets write them: separators, encodings, layouts, names of columns."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoglot.data.pairs.check import check_pairs
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.source import read_source
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


def test_an_encoding_is_never_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", table(LONG, encoding="cp1252"))
    assert f"{path}:4: not UTF-8" in refused(str(path))
    assert f"table:{path}?encoding=cp1252" in refused(str(path))
    assert read(f"table:{path}?encoding=cp1252") == [tuple(row) for row in LONG]
    for name in ("rot13", "utf-7", "no-such", "zlib"):
        assert f"unknown encoding '{name}'" in refused(f"table:{path}?encoding={name}")
    marked = write(tmp_path / "m.csv", table(LONG, encoding="utf-8-sig"))
    assert "byte order mark of UTF-8" in refused(f"table:{marked}?encoding=cp1252")
    assert "UTF-32" in refused(str(write(tmp_path / "w.csv", table(LONG, encoding="utf-32"))))


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
    assert f"table:{piped}?delimiter=..." in refused(str(piped))
    assert read(f"table:{piped}?delimiter=|") == [tuple(row) for row in LONG]
    assert "expected one sign" in refused(f"table:{piped}?delimiter=ab")
    for name, way_out in (
        ("p.xlsx", "save the sheet as CSV"),
        ("p.json", "one object per line"),
        ("p.txt", "table:FILE"),
    ):
        assert way_out in refused(str(write(tmp_path / name, b"x")))
