"""Pairs, corpora and JSON: what is written is read, and any text in a field ends in rows or in a line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, example, given
from hypothesis import strategies as st

from isoglot.cli.search import _filters, _typed
from isoglot.data.languages import known_language
from isoglot.data.pairs.address import SetAddress, parse_options
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.patterns import FilePattern
from isoglot.data.pairs.source import read_source
from isoglot.data.pairs.table import PairTable, read_rows
from isoglot.data.pairs.writing import write_pairs
from isoglot.data.readers import READERS
from isoglot.errors import InputError, LineError
from isoglot.files import digest_json, read_json, write_json, write_jsonl
from isoglot.reading import JsonError, parse_json
from isoglot.records import PairRow
from isoglot.retrieval.columns import Columns
from isoglot.retrieval.index_input import conditions
from tests.fuzz.trying import ANY_TEXTS, AWKWARD, SCALARS, TEXTS, VALUES, folder, one_line, outcome, tried

FILLED = TEXTS.map(lambda text: text.replace("\0", "").strip()).filter(bool)
"""Texts that a field of a row may hold; what stands around them is taken away."""
ROWS = st.lists(
    st.builds(
        PairRow,
        source=st.sampled_from(["s", "t"]) | FILLED,
        id=FILLED,
        lang=st.sampled_from(["de", "en", "zh-Hant"]),
        query=FILLED,
        passage=FILLED,
        passage_id=st.none() | FILLED,
        negatives=st.lists(FILLED, max_size=2).map(tuple),
        document_id=st.none() | FILLED,
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda row: (row.source, row.id, row.lang),
)
COLUMNS = ("source", "id", "lang", "query", "passage", "passage_id", "negatives", "document_id")


def cells(rows: list[PairRow]) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in COLUMNS} for row in rows]


def as_csv(rows: list[PairRow], delimiter: str) -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, COLUMNS, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({**row, "negatives": json.dumps(row["negatives"])} for row in cells(rows))
    return sink.getvalue().encode()


def as_parquet(rows: list[PairRow]) -> bytes:
    sink = io.BytesIO()
    kinds = {"negatives": pa.list_(pa.string())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    pq.write_table(
        pa.Table.from_pylist([{**row, "negatives": list(row["negatives"])} for row in cells(rows)], schema), sink
    )
    return sink.getvalue()


WAYS: dict[str, Callable[[list[PairRow]], bytes]] = {
    "p.csv": lambda rows: as_csv(rows, ","),
    "p.tsv": lambda rows: as_csv(rows, "\t"),
    "p.csv.gz": lambda rows: gzip.compress(as_csv(rows, ";"), mtime=0),
    "p.parquet": as_parquet,
}


@tried(25)
@given(ROWS)
def test_pairs_read_back_equal_from_every_format(rows: list[PairRow]) -> None:
    table = PairTable.from_rows(rows)
    with folder() as home:
        for name in ("p.jsonl", "p.jsonl.gz"):
            write_pairs(table, home / name)
        for name, make in WAYS.items():
            (home / name).write_bytes(make(rows))
        for path in sorted(home.iterdir()):
            again = outcome(lambda path=path: load_pairs(path))  # type: ignore[misc]
            assert not isinstance(again, InputError), (path.name, str(again))
            assert list(read_rows(again.table)) == list(read_rows(table.table)), path.name
            assert again.digest == table.digest


FIELDS = st.dictionaries(st.sampled_from([*COLUMNS, "text", "title", "url"]) | TEXTS, VALUES | TEXTS, max_size=9)


@tried(50)
@given(
    st.lists(
        st.sampled_from([{"id": 1, "lang": "de", "query": "q", "passage": "p"}, {}]).flatmap(
            lambda row: FIELDS.map(lambda f: {**row, **f})
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_value_in_a_field_is_a_row_or_a_line(rows: list[dict[str, Any]]) -> None:
    from isoglot.data.document_rows import read_corpus

    with folder() as home:
        path = home / "p.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        items = outcome(lambda: list(read_source(str(path))))
        if isinstance(items, InputError):  # of the columns of the file as a whole
            assert str(items).startswith(f"{path}:"), str(items)
            items = []
        else:  # a row with a column per language makes several
            assert list(dict.fromkeys(line for _, _, line in items)) == list(range(1, 1 + len(rows)))
        for item, _, number in items:
            if isinstance(item, LineError):
                assert one_line(item).startswith(f"{path}:{number}: ")
            else:
                assert item.query.strip() == item.query != ""
                assert known_language(item.lang) == item.lang
        found = outcome(lambda: list(read_corpus(str(path)).rows))
        assert isinstance(found, InputError) or {where.rpartition(":")[0] for where, _ in found} == {str(path)}


# --- JSON


def finite(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


@tried(60)
@given(VALUES)
def test_json_is_written_and_read(value: Any) -> None:
    assume(finite(value))
    with folder() as home:
        write_json(home / "a.json", value)
        assert read_json(home / "a.json") == value
        write_jsonl(home / "a.jsonl", [{"a": value}, {"a": value}])
        rows = [row for _, row in READERS[".jsonl"](home / "a.jsonl", ())]
        assert rows == [{"a": value}] * 2
    assert digest_json(value) == digest_json(json.loads(json.dumps(value)))


JSON = st.lists(
    st.sampled_from(
        (*AWKWARD, "{", "}", "[", "]", '"a":', ",", '"', "1", "-", ".5", "e9", "tru", "null", "9" * 301, "\\ud83d")
    )
    | TEXTS,
    max_size=9,
)


@tried(300)
@example('{"a": NaNx}]}', True)
@given(JSON.map("".join) | VALUES.map(json.dumps), st.booleans())
def test_json_by_the_letter_is_pythons_or_refused(text: str, strict: bool) -> None:
    found = _parsed(text, strict)
    if isinstance(found, JsonError):
        assert 1 <= found.line <= text.count("\n") + 1
        assert "\n" not in str(found)
    else:  # what is taken is what everybody else reads
        assert repr(json.loads(text)) == repr(found)


def _parsed(text: str, strict: bool) -> Any:
    try:
        return parse_json(text, strict=strict)
    except JsonError as error:
        return error


# --- words that say where data are

SPECS = st.tuples(
    st.sampled_from(
        [
            "",
            "facts:",
            "lareqa:",
            "mmarco:",
            "mfaq:",
            "squad:",
            "beir:",
            "table:",
            "po:",
            "tmx:",
            "xliff:",
            "moses:",
            "tatoeba:",
            "nq:",
            "x:",
        ]
    ),
    st.sampled_from(
        ["", ".", "p.jsonl", "de", "de,en", "{lang}.csv", "{lang}/*.po", "*", "no/where", "..", "~", "p.csv"]
    )
    | TEXTS,
    st.lists(
        st.tuples(
            st.sampled_from(["languages", "limit", "query", "lang", "encoding", "delimiter", "entities", "source", ""])
            | TEXTS,
            TEXTS,
        )
    ),
)


def spec_of(parts: tuple[str, str, list[tuple[str, str]]]) -> str:
    head, where, options = parts
    return head + where + ("?" if options else "") + "&".join(f"{key}={value}" for key, value in options)


@tried(80)
@example("~nobody-lives-here/p")
@example("~\0")
@example("x" * 5000)
@given(SPECS.map(spec_of))
def test_any_source_is_rows_or_a_line(spec: str) -> None:
    assume("hub" not in spec)  # nothing is asked of the network here
    with folder() as home:
        (home / "p.jsonl").write_text('{"id": 1, "lang": "de", "query": "q", "passage": "p"}\n')
        (home / "p.csv").write_text("id,lang,query,passage\n1,de,q,p\n")
        found = outcome(lambda: [item for item, _ in zip(read_source(spec, home), range(50))])
        for item, _, _ in () if isinstance(found, InputError) else found:
            assert isinstance(item, (PairRow, LineError))


@tried(200)
@given(st.dictionaries(st.sampled_from(["languages", "limit", "name", "query"]), TEXTS.filter(bool), max_size=4))
def test_options_of_a_source_are_read_as_they_were_quoted(options: dict[str, str]) -> None:
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in options.items())
    assert parse_options("spec", query, {"languages", "limit", "name", "query"}) == options
    with folder():
        address = SetAddress.parse(f"x:.?{query}" if query else "x:.", "languages", "limit", "name", "query")
        assert address.options == options
        outcome(lambda: address.languages)
        number = outcome(lambda: address.number("limit"))
        assert (
            number is None
            or isinstance(number, InputError)
            or str(number) == options["limit"].lstrip("0")
            or number == 0
        )


NAMED = st.text(st.sampled_from("abé中 ._-[]!?%#&'(){}~"), min_size=1, max_size=6).filter(
    lambda name: name.strip(". ") and not name.startswith("~")
)


@tried(80)
@given(NAMED, NAMED, st.sets(st.sampled_from(["de", "en", "zh-TW", "pt_BR", "sr@latin", "xx", "a b"]), min_size=1))
def test_a_pattern_finds_the_files_that_it_names(before: str, after: str, codes: set[str]) -> None:
    assume("{lang}" not in before + after and "?" not in before + after)
    with folder() as home:
        for code in codes:
            (home / f"{before}{code}{after}").touch()
        (home / "other").touch()
        found = outcome(lambda: FilePattern.parse(f"po:{home}/{before}{{lang}}{after}", ()))
        known = {code for code in codes if code not in ("xx", "a b")}
        if isinstance(found, InputError):
            assert not known, str(found)
            return
        assert {file.path.name for file in found.files} == {f"{before}{code}{after}" for code in known}
        assert {path.name for path in found.strangers} == {f"{before}{code}{after}" for code in codes - known}


# --- filters

ROW = st.dictionaries(
    st.sampled_from(["lang", "year", "kind"]), st.sampled_from(["de", "en", 1, 1.0, True, False, 0, 2.5, "1", ""])
)


@tried(150)
@given(
    st.lists(ROW, max_size=6),
    st.dictionaries(st.sampled_from(["year", "kind", "x"]), SCALARS | st.lists(SCALARS, max_size=3)),
    st.none() | st.lists(TEXTS, max_size=2),
)
def test_filters_pass_what_python_passes(
    rows: list[dict[str, Any]], where: dict[str, Any], languages: list[str] | None
) -> None:
    asked = outcome(lambda: conditions(languages, where))
    values = {key: value if isinstance(value, list) else [value] for key, value in where.items()}
    if isinstance(asked, InputError):
        assert None in [one for several in values.values() for one in several]
        return
    if languages is not None:
        values["lang"] = list(languages)
    expected = [all(key in row and row[key] in allowed for key, allowed in values.items()) for row in rows]
    assert Columns(rows).passes(asked).tolist() == expected


@tried(150)
@given(st.lists(ANY_TEXTS | st.tuples(TEXTS, TEXTS).map("=".join), max_size=4), st.lists(SCALARS, max_size=3))
def test_filters_on_the_command_line(words: list[str], known: list[Any]) -> None:
    found = outcome(lambda: _filters(words))
    if isinstance(found, InputError):
        assert any(not word.partition("=")[0] or "=" not in word for word in words)
        return
    assert sum(map(len, found.values())) == len(words)
    for key, values in found.items():
        assert [f"{key}={value}" for value in values] == [word for word in words if word.partition("=")[0] == key]
        typed = _typed(values, known)
        assert len(typed) == len(values)
        for value, text in zip(typed, values):
            assert value == text or (value in known and json.dumps(value) == text)
