"""Translated documents as pairs: which files belong together, which sections, and what becomes of every one of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.documents.align import align
from isoglot.data.documents.formats.markdown import read_markdown
from isoglot.data.documents.sections import Section, sections_of
from isoglot.data.pairs.loading import load_pairs
from isoglot.records import FloatArray

LANGUAGES = ("de", "en", "fr")


def text(lang: str, *names: object) -> str:
    """A passage of its own for every language and name."""
    return f"This is what {lang} has to say of " + " ".join(map(str, names)) + " in some words."


def section(name: str, level: int = 2, anchor: str = "", n_code: int = 0) -> Section:
    return Section("t", name, level, anchor, (name,), n_code, "")


def put(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    code = main(["data", "from-docs", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pages(n: int, languages: Sequence[str] = LANGUAGES) -> dict[str, str]:
    """Pages of two sections in every language."""
    return {
        f"docs/{lang}/part/page{n}.md": f"# Page {n} {lang}\n\n{text(lang, n)}\n\n## Use\n\n{text(lang, n, 'use')}\n"
        for n in range(n)
        for lang in languages
    }


# which sections


def names(left: list[Section], right: list[Section], **more: Any) -> list[tuple[str, str]]:
    found = align(left, right, more.get("similar"), more.get("least", 0.5))
    assert len(set(found.values())) == len(found)
    return sorted((left[i].heading, right[j].heading) for i, j in found.items())


def test_the_same_structure_is_aligned_by_order() -> None:
    left = [section("0", 0), section("a", 1), section("b"), section("c", 3), section("d")]
    right = [section("0'", 0), section("a'", 1), section("b'"), section("c'", 3), section("d'")]
    assert names(left, right) == [(s.heading, f"{s.heading}'") for s in left]
    assert names(left, []) == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([("a", 1), ("b", 2), ("c", 2)], [("a", 1), ("c", 2)]),  # missing
        ([("a", 1), ("c", 2)], [("a", 1), ("x", 2), ("c", 2)]),  # extra
    ],
)
def test_where_the_structure_differs_only_what_is_sure_is_aligned(left: Any, right: Any) -> None:
    assert names([section(*one) for one in left], [section(*one) for one in right]) == [("a", "a")]
    # inside other parents it is as it was
    more = [("p", 1), ("q", 2)]
    found = names([section(*one) for one in [*left, *more]], [section(*one) for one in [*right, *more]])
    assert found == [("a", "a"), ("p", "p"), ("q", "q")]


def test_anchors_align_what_was_moved_and_what_stands_between() -> None:
    left = [section("a", anchor="A"), section("a1"), section("b", anchor="B"), section("c", anchor="C")]
    right = [
        section("c'", anchor="C"),
        section("a'", anchor="A"),
        section("a1'"),
        section("x"),
        section("b'", anchor="B"),
    ]
    assert names(left, right) == [("a", "a'"), ("b", "b'"), ("c", "c'")]
    del right[3]
    assert names(left, right) == [("a", "a'"), ("a1", "a1'"), ("b", "b'"), ("c", "c'")]
    # what is there twice, and what programs count, names nothing
    for anchor in ("id1", "section-3", "7"):
        assert names([section("a", 1, anchor)], [section("x", 2), section("y", 1, anchor)]) == [("a", "y")]
    assert names([section("a", 1, "A"), section("b", 1, "A")], [section("y", 1, "A")]) == []


def test_sections_with_more_code_are_others() -> None:
    assert names([section("a"), section("b", n_code=1)], [section("x", n_code=1), section("y")]) == []


def same_letter(left: Sequence[str], right: Sequence[str]) -> FloatArray:
    return np.array([[0.9 if a[0] == b[0] else 0.1 for b in right] for a in left])


def test_a_model_aligns_what_the_structure_does_not() -> None:
    left = [section(name) for name in "abcd"]
    right = [section(f"{name}'") for name in "bca"]
    assert names(left, right, similar=same_letter) == [("a", "a'"), ("b", "b'"), ("c", "c'")]
    assert names(left, right, similar=same_letter, least=0.95) == []
    # sections with one text go by order
    twice = [section("a1"), section("a2")]
    assert names(twice, [section("a1'"), section("a2'")], similar=same_letter) == [("a1", "a1'"), ("a2", "a2'")]


# which files


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["docs/en/a/b.md", "docs/de/a/b.md"], ["docs/{lang}/**/*.md"]),
        (["docs/a/b.en.md", "docs/a/b.de.md"], ["docs/**/*.{lang}.md"]),
        (
            ["docs/a/b.md", "docs/a/b.de.md"],
            ["docs/**/*.{lang}.md", "--source-language", "en", "--source", "docs/**/*.md"],
        ),
        (
            ["docs/a/b.md", "i18n/de/docs/a/b.md"],
            ["i18n/{lang}/docs/**/*.md", "--source-language", "en", "--source", "docs/**/*.md"],
        ),
        (
            ["docs/a/b.md", "docs/de/a/b.md"],
            ["docs/{lang}/**/*.md", "--source-language", "en", "--source", "docs/**/*.md"],
        ),
        (["docs/en-US/a/b.en-US.md", "docs/de/a/b.de.md"], ["docs/{lang}/**/*.{lang}.md"]),
        (["en/docs/a/b.md", "de/docs/a/b.md"], ["./{lang}/docs/**/?.md"]),
    ],
)
def test_patterns(
    files: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, {name: f"# Title {lang}\n\n{text(lang, 1)}" for name, lang in zip(files, ("en", "de"))})
    put(tmp_path, {"docs/.git/a/b.md": "# no", "docs/picture.png": "no"})
    code, facts, _ = run(capsys, *words, "--output", "pairs.jsonl")
    assert code == 0
    assert facts["rows"] == {"de": 1, "en": 1}
    assert {row["document_id"] for row in rows_in(tmp_path / "pairs.jsonl")} == {"a/b"}


def test_folders_that_are_no_languages_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, {**pages(1), "docs/images/part/x.md": "# x", "docs/en/part/x.png": "x"})
    code, facts, err = run(capsys, tmp_path / "docs/{lang}/**/*.*", "--output", tmp_path / "pairs.jsonl")
    assert code == 0
    assert facts["files"]["left_out"] == {"in 'images', which is no language": 1, "of an unknown format (.png)": 1}
    assert "taken as the source language: de" in err


def test_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, pages(2))
    put(
        tmp_path,
        {
            "docs/eng/part/page0.md": "# again",
            "bad/en/a.html": "<p>\xff",
            "bad/de/a.html": "<p>x",
            "one/en/a.md": "# A",
        },
    )
    (tmp_path / "bad/en/a.html").write_bytes(b"<p>\xff")
    good = tmp_path / "docs/{lang}/**/*.md"
    before = sorted(tmp_path.rglob("*"))
    output = ["--output", tmp_path / "pairs.jsonl"]
    for words, problem in (
        ([tmp_path / "docs/en/part/page0.md", *output], "nothing says the language of"),
        ([tmp_path / "no/{lang}/*.md", *output], "no such files"),
        ([good, *output], "is the same page in the same language (en)"),
        ([good, "--languages", "de", "fr", "--source-language", "it", *output], "no files in it, the source language"),
        ([good, "--source", "docs/*.md", *output], "--source needs --source-language"),
        ([good, "--output", tmp_path / "pairs.csv"], "written as .jsonl"),
        ([good, "--benchmark", tmp_path / "b", *output], "--benchmark needs --holdout"),
        ([good, "--format", "markdwn", *output], "did you mean 'markdown'"),
        ([good, "--holdout", "100%", *output], "holdout"),
        ([tmp_path / "bad/{lang}/*.html", *output], "bad/en/a.html:1: not UTF-8"),
        ([tmp_path / "one/{lang}/*.md", *output], "no section is there in two languages (1 no text)"),
    ):
        code, _, err = run(capsys, *words)
        assert code == 2
        assert problem in err.splitlines()[-1]
        assert sorted(tmp_path.rglob("*")) == before
    put(tmp_path, {f"bad/{lang}/b.md": f"# T {lang}\n\n{text(lang, 1)}" for lang in ("de", "en")})
    code, facts, err = run(capsys, tmp_path / "bad/{lang}/*", "--skip-unreadable", *output)
    assert (code, facts["files"]["left_out"]) == (0, {"unreadable": 1})
    assert "left out: " in err


# what becomes of them


def test_every_section_is_a_row_or_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def page(lang: str, *, copied: bool = False, extra: str = "") -> str:
        own = "en" if copied else lang
        return (
            f"# The page {lang}\n\n{text(lang, 'it')}\n\n## Code {lang}\n\n```\nx\n```\n\n"
            f"## Copy {lang}\n\n{text(own, 'copy')}\n\n## Menu {lang}\n\n[a](b)\n\n## License\n\nWords of it for {lang}.\n\n"
            f"## Empty {lang}\n\n## Short {lang}\n\nToo short {lang}.\n\n## Again {lang}\n\n{text(lang, 'again')}\n{extra}"
        )

    put(tmp_path, {"docs/en/a.md": page("en"), "docs/de/a.md": page("de", copied=True), "docs/fr/a.md": page("fr")})
    put(tmp_path, {f"docs/{lang}/b.md": f"# B {lang}\n\n{text(lang, 'again')}\n" for lang in LANGUAGES})
    put(tmp_path, {"docs/en/c.md": f"# C\n\n{text('en', 'only')}", "docs/fr/d.md": f"# D\n\n{text('fr', 'only')}"})
    put(
        tmp_path,
        {
            "docs/de/e.md": f"# E\n\n{text('de', 'e')}\n\n# F\n\n{text('de', 'f')}",
            "docs/en/e.md": f"# E\n\n{text('en', 'e')}",
        },
    )
    output = tmp_path / "pairs.jsonl"
    code, facts, _ = run(capsys, tmp_path / "docs/{lang}/*.md", "--source-language", "en", "--output", output)
    assert code == 0
    each = {"code": 1, "menu": 1, "licence": 1, "no text": 1, "short": 1, "repeated": 1}
    assert facts["left_out"] == {
        "de": {**each, "untranslated": 1, "not aligned": 2},
        "en": {**each, "alone": 2},
        "fr": {**each, "alone": 1},
    }
    assert facts["rows"] == {"de": 2, "en": 3, "fr": 3}
    for lang, count in facts["sections"].items():
        assert count == facts["rows"][lang] + sum(facts["left_out"][lang].values())
    rows = rows_in(output)
    assert Counter(row["lang"] for row in rows) == facts["rows"]
    assert {row["id"] for row in rows} == {"a#1", "a#3", "a#8"}
    assert main(["data", "check", str(output)]) == 0


def test_titles_stand_before_headings_that_are_there_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, pages(2))
    code, facts, _ = run(capsys, tmp_path / "docs/{lang}/**/*.md", "--output", tmp_path / "pairs.jsonl")
    assert (code, facts["pairs"], facts["pages_with_pairs"]) == (0, 4, 2)
    queries = [row["query"] for row in rows_in(tmp_path / "pairs.jsonl") if row["lang"] == "fr"]
    assert queries == ["Page 0 fr", "Page 0 fr: Use", "Page 1 fr", "Page 1 fr: Use"]


def test_tables_and_pages_of_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["id,part,lang,head,body"]
    lines += [f"{n},p{n % 2},{lang},Head {n} {lang},{text(lang, n)}" for n in range(4) for lang in ("eng", "de")]
    put(tmp_path, {"texts.csv": "\n".join(lines) + "\n"})
    columns = [
        f"--{name}-column={value}"
        for name, value in (("key", "id"), ("heading", "head"), ("text", "body"), ("page", "part"))
    ]
    code, facts, _ = run(capsys, tmp_path / "texts.csv", *columns, "--output", tmp_path / "pairs.jsonl.gz")
    assert code == 0
    assert facts["rows"] == {"de": 4, "en": 4}
    table = load_pairs(tmp_path / "pairs.jsonl.gz").table
    assert set(table.column("document_id").to_pylist()) == {"texts/p0", "texts/p1"}
    put(tmp_path, {"t.csv": "key,heading,text\nk,H,T\n"})
    code, _, err = run(capsys, tmp_path / "t.csv", "--output", tmp_path / "other.jsonl")
    assert code == 2
    assert "t.csv: a row without a language" in err


def test_whole_pages_are_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, pages(20))
    output = tmp_path / "pairs.jsonl"
    code, facts, _ = run(capsys, tmp_path / "docs/{lang}/**/*.md", "--output", output, "--holdout", "10%")
    assert code == 0
    assert facts["held_out"] == dict.fromkeys(LANGUAGES, 4)
    assert facts["rows"] == dict.fromkeys(LANGUAGES, 36)
    benchmark = load_benchmark(tmp_path / "pairs-held-out")
    pages_there = {key.partition("#")[0] for _, key, _ in benchmark.pooled_queries()}
    assert len(pages_there) == 2
    assert not pages_there & {row["document_id"] for row in rows_in(output)}
    assert len(set(benchmark.query_groups)) == 2
    assert benchmark.n_documents == 12
    code, _, err = run(capsys, tmp_path / "docs/{lang}/**/*.md", "--output", tmp_path / "b.jsonl", "--holdout", ".01")
    assert code == 2
    assert "leaves one side empty" in err
    assert not (tmp_path / "b.jsonl").exists()


def test_sections_of_translations_have_one_structure() -> None:
    english, german = (
        sections_of(read_markdown(f"# T\n\nx\n\n## A {lang}\n\n- y\n\n### B\n\nz")) for lang in ("en", "de")
    )
    assert align(english, german, None, 0) == {0: 0, 1: 1, 2: 2}


def test_a_model_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, {"docs/en/a.md": "", "docs/de/a.md": ""})
    order = {"en": "abc", "de": "ca"}
    for lang, letters in order.items():
        put(
            tmp_path,
            {f"docs/{lang}/a.md": "\n\n".join(f"## {letter} {lang}\n\n{text(lang, letter)}" for letter in letters)},
        )
    monkeypatch.setattr("isoglot.retrieval.similarity.similarity_by", lambda *_: same_letter)
    words = [
        tmp_path / "docs/{lang}/*.md",
        "--source-language",
        "en",
        "--output",
        tmp_path / "pairs.jsonl",
        "--model",
        "toy",
    ]
    code, facts, _ = run(capsys, *words)
    assert (code, facts["aligned_by_order"]) == (0, 2)
    ids = {row["query"]: row["id"] for row in rows_in(tmp_path / "pairs.jsonl")}
    assert ids == {"a en": "a#1", "a de": "a#1", "c en": "a#3", "c de": "a#3"}
