"""What strangers wrote stays text and stays inside: names in files, packed files, markup, terminals; and docs/security.md."""

from __future__ import annotations

import ast
import gzip
import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isoglot.data import csv_rows, opening
from isoglot.data.languages import language
from isoglot.data.readers import json_rows
from isoglot.errors import UNPRINTABLE, InputError
from isoglot.evaluation.debias_card import card_text
from isoglot.files import inside, write_json
from isoglot.models.card import Trained, write_card
from isoglot.study.export import unpack_export
from isoglot.study.packing import PACKED, PackedStudy, pack
from isoglot.study.read_spec import parse_spec
from isoglot.study.spec import benchmark_name
from isoglot.tables import Table, as_html, as_text, code_span, escape, markdown_table

ROOT = Path(__file__).parents[1]
HOSTILE = "<script>alert(1)</script>|`*x*`[a](javascript:b) \x1b[31m\x9b\u202e\nisoglot: done"
PATHS = ["../x", "a/../../x", "/etc/x", "~/x", "", ".", "a\\..\\x", "C:/x", "a\0"]


def text_of(page: str) -> str:
    """What a reader of Markdown sees; the test fails where anything became markup."""
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)
    assert not re.search(r"<(script|a|em|img|h1)\b", html), html
    assert not UNPRINTABLE.search(html.replace("\n", "")), html
    return html


# --- code


def test_our_own_code_unpickles_nothing_and_runs_no_text() -> None:
    forbidden = re.compile(
        r"^(pickle\.loads?|torch\.load|joblib\.load|marshal\.loads?|eval|exec|os\.system|(zip|tar)\w*\.extract(all)?|yaml\.unsafe_load)$"
    )
    ours = "src/isoglot/retrieval/encode_engines/ray_data.py"  # what a worker of Ray is sent by the process that started it
    found = set()
    for path in sorted((ROOT / "src").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if forbidden.match(ast.unparse(node.func)):
                found.add((name, ast.unparse(node.func)))
            for given in node.keywords:
                is_true = isinstance(given.value, ast.Constant) and given.value.value is True
                if given.arg in ("trust_remote_code", "allow_pickle", "shell") and is_true:
                    found.add((name, given.arg))
    assert found == {(ours, "pickle.loads")}


def test_nobody_is_asked_whether_to_run_code_of_a_translation_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isoglot.data.transform.model_files import load_tokenizer

    monkeypatch.setattr("builtins.input", lambda *_: "y")
    (tmp_path / "own.py").write_text("raise SystemExit('was run')")
    named = {"AutoConfig": "own.Config", "AutoTokenizer": ["own.Tokenizer", None]}
    write_json(tmp_path / "config.json", {"model_type": "own", "auto_map": named})
    write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "Own", "auto_map": named})
    with pytest.raises(InputError, match="contains custom code") as caught:
        load_tokenizer(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_an_adapter_of_a_translation_model_is_no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    import transformers

    from isoglot.data.transform.translators import transformers_models

    class Opens:
        @staticmethod
        def from_pretrained(*_: Any, **given: Any) -> Any:  # as transformers does with an adapter_model.bin
            assert given["trust_remote_code"] is False
            return torch.load("adapter_model.bin", weights_only=True)

    monkeypatch.setattr(transformers, "AutoModelForSeq2SeqLM", Opens)
    monkeypatch.setattr(transformers_models, "load_tokenizer", lambda *_: None)
    monkeypatch.setattr(transformers_models.ModelLanguages, "of", lambda *_: None)
    asked: Any = SimpleNamespace(spec="own", own_codes=None, dtype="float32")
    with pytest.raises(InputError, match="weights in a pickle are not opened"):
        transformers_models._Model(asked, "cpu")


# --- names


@pytest.mark.parametrize("name", PATHS)
def test_names_in_files_do_not_lead_out_of_their_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which would lie outside of it"):
        inside(tmp_path, name)
    assert inside(tmp_path, "cells/a.b/..c") == tmp_path / "cells/a.b/..c"


@pytest.mark.parametrize("where", ["trials", "states", "path"])
def test_an_export_unpacks_into_its_folder_only(where: str, tmp_path: Path) -> None:
    home = tmp_path / "study"
    home.mkdir()
    run = {"id": "../../evil" if where == "states" else "a", "status": "done", "benchmarks": {}, "train": None}
    details = {
        "results": {"cells": [run]},
        "states": {run["id"]: {}},
        "trials": {"../../evil": {"cell": {}}} if where == "trials" else {"a": {"../../../evil": {}}},
    }
    pack(home / PACKED, {}, details)
    write_json(home / "cost.json", {run["id"]: {}})
    with pytest.raises(InputError, match="would lie outside of it"):
        unpack_export(home)
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


@pytest.mark.parametrize("code", ["../x", "de/../../x", "en\x1b", "x-../..", ".", "en\u202e", "de-x-../a"])
def test_a_path_is_no_language(code: str) -> None:
    with pytest.raises(InputError, match="unknown language") as caught:
        language(code)
    assert not UNPRINTABLE.search(str(caught.value))


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "a\x1b"])
@pytest.mark.parametrize("key", ["systems", "data"])
def test_names_of_a_study_are_no_paths(key: str, name: str) -> None:
    values: dict[str, Any] = {
        "name": "n",
        "question": "q",
        "base": ["offline:multilingual-e5-small"],
        "seeds": [0],
        "data": [{"name": "x", "pairs": ["lareqa:mlqa-r"], "benchmarks": ["xquad-r"]}],
        "systems": {"lsar": [{"debias": {"method": "lsar", "fit": "pairs"}}]},
    }
    parse_spec(values, "spec")
    harmed = {name: values["systems"]["lsar"]} if key == "systems" else [{**values["data"][0], "name": name}]
    with pytest.raises(InputError, match="spec: ") as caught:
        parse_spec({**values, key: harmed}, "spec")
    assert not UNPRINTABLE.search(str(caught.value))


@pytest.mark.parametrize("name", ["..", "a/..", ".", "../.."])
def test_results_of_a_benchmark_lie_in_a_folder_of_their_own(name: str) -> None:
    assert benchmark_name(name) not in ("", ".", "..")
    assert "/" not in benchmark_name(name)


# --- packed files


def test_a_packed_line_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LONGEST_LINE", 1000)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n{"a": "' + b"0" * 5000 + b'"}\n'))
    rows = json_rows(path)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: unpacks to a line of more than"):
        next(rows)


def test_a_packed_table_has_cells_with_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "LONGEST_LINE", 1000)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" + b'"' + b"0\n" * 5000 + b'",3\n'))
    rows = [row for _, row in csv_rows.csv_rows(path)]
    assert rows[0] == {"a": "1", "b": "2"}
    assert "field larger than field limit" in str(rows[1])
    path.write_bytes(gzip.compress(b"a,b\n" + b"0" * 5000))
    with pytest.raises(InputError, match="line 2 has more than"):
        list(csv_rows.csv_rows(path, encoding="latin-1"))


def test_a_packed_dictionary_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoglot.data.lexicons.formats import dictd

    monkeypatch.setattr(dictd, "_MOST", 1000)
    (tmp_path / "a.index").write_text("a\tA\tB\n")
    (tmp_path / "a.dict.dz").write_bytes(gzip.compress(b"0" * 5000))
    with pytest.raises(InputError, match=r"a\.dict\.dz: more than 0 MiB unpacked"):
        list(dictd.Dictd().read(tmp_path / "a.index"))


def test_what_an_export_holds_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(tmp_path / PACKED, {}, {"results": "0" * 5_000_000})
    PackedStudy(tmp_path / PACKED)
    monkeypatch.setattr("isoglot.study.packing._MOST", 4_000_000)
    with pytest.raises(InputError, match=r"(?i)its details are cut, or of more|memory usage limit"):
        PackedStudy(tmp_path / PACKED)


def test_a_word_document_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docx", reason="Word documents are read by python-docx (extra docs)")
    from isoglot.data.documents.formats import docx
    from isoglot.data.documents.settings import DocumentSettings

    monkeypatch.setattr(docx, "_MOST", 1000)
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", "0" * 5000)
    with pytest.raises(InputError, match=r"a\.docx: more than 0 MiB unpacked"):
        list(docx.Docx().read(tmp_path / "a.docx", DocumentSettings()))


# --- texts


def test_tables_and_lines_show_a_name_as_it_is() -> None:
    blocks: list[str | Table] = [HOSTILE, Table([[HOSTILE, "b"], ["a", HOSTILE]])]
    assert not UNPRINTABLE.search(as_text(blocks).replace("\n", ""))
    html = as_html(blocks)
    assert "<script" not in html
    assert not UNPRINTABLE.search(html.replace("\n", ""))


def test_markdown_shows_a_name_as_it_is() -> None:
    page = "\n".join(markdown_table([["a", "b"], [escape(HOSTILE), "1"]]))
    assert text_of(page).count("<td") == 2
    assert "javascript:b" in text_of(f"**{escape(HOSTILE)}**")
    assert "&lt;script&gt;" in text_of(f"x {code_span(HOSTILE)} y")
    assert code_span("a  b") == "`a  b`"


def test_cards_show_names_and_prompts_as_they_are(tmp_path: Path) -> None:
    about = Trained(HOSTILE, "", "LoRA", "hybrid", 8, 3, [HOSTILE, "a.jsonl"], 5, ["de", "en"], 9, [])
    write_card(tmp_path / "README.md", about, {"query": HOSTILE, "document": "passage: "})
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in text_of(card.split("---\n", 2)[2].replace("# A", "A").replace("## ", ""))
    assert "`'passage: '`" in card
    record = {
        "method": {"name": "lsar"},
        "base": HOSTILE,
        "strength": 1.0,
        "sides": "alike",
        "texts": 3,
        "languages": ["de"],
        "fit": [HOSTILE],
        "transductive": [HOSTILE],
    }
    assert "&lt;script&gt;" in text_of(card_text(record))


def test_a_card_takes_over_no_html_of_the_model_that_it_is_of(tmp_path: Path) -> None:
    from isoglot.cli.push import _how

    (tmp_path / "README.md").write_text(
        "---\na: b\n---\n# Name\n\nMade <script>alert(1)</script>\x1b[31m.\n```\ncode\n"
    )
    assert _how(tmp_path) == "Made &lt;script>alert(1)&lt;/script>\\u001b[31m."


def test_an_answer_is_one_line_whatever_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    from isoglot.cli.search import _print

    forged = "a\n  2. de  0.999  forged\u2028b\x0bc"
    hit = SimpleNamespace(lang="de", score=0.5, title=forged, id="1", url="https://a\nb", text="t\n3.", sentence=None)
    _print(SimpleNamespace(why="", hits=[hit]))
    assert len(capsys.readouterr().out.splitlines()) == 2


# --- the server


def test_a_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi", reason="the server needs the extra serve")
    from starlette.datastructures import Headers

    from isoglot.serving import gate
    from isoglot.serving.refusals import Refusal
    from isoglot.serving.settings import ServeSettings

    compared: list[tuple[bytes, bytes]] = []
    same = gate.hmac.compare_digest

    def seen(given: bytes, own: bytes) -> bool:
        compared.append((given, own))
        return same(given, own)

    monkeypatch.setattr(gate.hmac, "compare_digest", seen)
    settings, rest = ServeSettings(index=Path("i"), token="correct-token"), Any
    guard = gate.Gate(rest, settings, rest, gate.State(), lambda: 0.0, frozenset())
    for token in ("", "c", "correct-toke", "x" * 500):
        with pytest.raises(Refusal, match="send the token"):
            guard._check("/info", Headers({"host": "localhost", "authorization": f"Bearer {token}"}), False)
    guard._check("/info", Headers({"host": "localhost", "authorization": "Bearer correct-token"}), False)
    assert len(compared) == 5
    assert {len(digest) for pair in compared for digest in pair} == {32}


# --- the page that promises it


def test_every_promise_names_tests_and_modules_that_exist() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| .* \| .* \| .*`tests/", line)]
    assert len(rows) >= 20
    named: dict[str, set[str]] = {}
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[-1])
        assert tests, row
        assert len(tests) == row[-1].count("`tests/"), row
        for path in re.findall(r"`((?:\w+/)*\w+\.(?:py|jinja|html|js))`", row[-2]):
            assert list((ROOT / "src" / "isoglot").glob(path)), path
        for file, test in tests:
            named.setdefault(file, set()).add(test)
    for file, tests_of in named.items():
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert tests_of <= there, (file, tests_of - there)


def test_the_short_page_leads_to_the_long_one() -> None:
    assert "](docs/security.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert json.dumps("docs/security.md") in (ROOT / "zensical.toml").read_text(encoding="utf-8")
