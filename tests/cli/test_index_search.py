"""`isoglot index` and `isoglot search` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isoglot.cli.main import main
from tests.retrieval.test_collection import rows, text_of, write

Zoo = Callable[[str], Path]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([*map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_index_then_search(tmp_path: Path, zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    model, target = zoo("mean"), tmp_path / "index"
    corpus = write(tmp_path / "corpus.jsonl", [{**row, "year": 2000 + i} for i, row in enumerate(rows(12))])
    code, out, _ = run(capsys, "index", model, corpus, "--output", target)
    assert code == 0
    assert "documents: 12 added" in out
    assert f"{target}: 12 documents in 12 chunks (de 4, en 4, th 4)" in out
    code, out, _ = run(capsys, "search", target, text_of(4), "-k", 3, "--where", "topic=even", "year=2004", "year=2006")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[::2]] == [["1.", "en"], ["2.", "de"]]
    code, out, _ = run(capsys, "search", target, text_of(4), text_of(5), "-k", 1, "--json")
    answers: list[Any] = json.loads(out)
    assert [answer["hits"][0]["id"] for answer in answers] == ["d4", "d5"]
    questions = tmp_path / "questions.txt"
    questions.write_text(f"{text_of(1)}\n{text_of(2)}\n", encoding="utf-8")
    code, out, _ = run(capsys, "search", target, "--queries", questions, "-k", 1)
    assert [line for line in out.splitlines() if line.startswith("# ")] == [f"# {text_of(1)}", f"# {text_of(2)}"]
    code, out, _ = run(capsys, "search", target, "x", "--lang", "fr")
    assert (code, out) == (0, "No document is in fr; there are: de (4), en (4), th (4).\n")
    code, out, _ = run(capsys, "index", "--delete", "d0", "--output", target, "--json")
    assert json.loads(out)["documents"] == 11


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "{}/nothing", "x"], "no index is there; make one: isoglot index MODEL CORPUS --output"),
        (["search", "{}"], "give a question"),
        (["search", "{}", "x", "--where", "topic"], "expected KEY=VALUE"),
        (["search", "{}", "x", "-k", "0"], "-k must be at least 1"),
        (["index", "--output", "{}/new"], "nothing to do"),
        (["index", "m", "c", "--update", "d", "--output", "{}/new"], "give one corpus"),
        (["index", "offline:multilingual-e5-small", "--output", "{}/new"], "a new one needs a MODEL and a CORPUS"),
        (["index", "offline:multilingual-e5-small", "{}/nothing.jsonl", "--output", "{}/new"], "nothing.jsonl"),
        (["index", "offline:multilingual-e5-small", "{}/none", "--output", "{}/new"], "no file in it can be read"),
        (["index", "offline:multilingual-e5-small", "{}/empty.jsonl", "--output", "{}/new"], "no document in it"),
        (["index", "m", "c", "--chunk-tokens", "3", "--output", "{}/new"], "chunk_tokens must be at least 16"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "none").mkdir()
    code, out, err = run(capsys, *[word.format(tmp_path) for word in words])
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()
