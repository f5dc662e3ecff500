"""Translated documents."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

from tests.malformed.kinds.shared import LANGUAGES, Kind, Wrong, accepted, filled_lines, register, run, same

DOCUMENTS = {
    "a.md": "# Title {lang}\n\nWords of {lang}, as many as that.\n\n## Next\n\n- one of {lang} and then some more\n",
    "b.html": "<html><head><title>T</title></head><body><h1 id='x'>Title {lang}</h1><p>Page of {lang} with words.</p>",
    "c.rst": "Title {lang}\n=============\n\nText of {lang} in that format.\n\n.. note:: Mind {lang} here.\n",
    "d.txt": "Title {lang}\n========\n\nPlain text of {lang} that nobody marked up.\n",
    "e.xml": "<article><title>Title {lang}</title><section id='s'><title>S</title><para>Book of {lang} that has words.</para>"
    "</section></article>",
    "f.page": "<page id='p'><title>Title {lang}</title><p>Mallard of {lang}, a page that has words.</p></page>",
    "g.xhp": "<helpdocument><body><h1 id='h'>Title {lang}</h1><paragraph>Help of {lang}, a page that has words.</paragraph>"
    "</body></helpdocument>",
    "h.csv": "key,heading,text\n1,Title {lang},Cells of {lang} that have words enough\n",
}


FORMATS = {
    ".md": "Markdown",
    ".html": "HTML",
    ".rst": "reStructuredText",
    ".txt": "text",
    ".xml": "DocBook",
    ".page": "Mallard",
    ".xhp": "xhp",
    ".csv": "table",
    ".docx": "Word",
}


def document_files() -> dict[str, bytes]:
    from docx import Document

    files = {}
    for lang in LANGUAGES:
        document, sink = Document(), io.BytesIO()
        document.add_heading(f"Title {lang}", 1)
        document.add_paragraph(f"Document of {lang} that has words enough.")
        document.save(sink)
        files[f"{lang}/i.docx"] = sink.getvalue()
        files |= {f"{lang}/{name}": text.replace("{lang}", lang).encode() for name, text in DOCUMENTS.items()}
    return files


def check_documents(folder: Path, spoiled: Path) -> None:
    """Every section is a row or counted by the reason why it is none."""
    output = folder.parent / "pairs.jsonl"
    output.unlink(missing_ok=True)
    answer = run(
        "data",
        "from-docs",
        f"{folder}/{{lang}}/*",
        "--output",
        str(output),
        "--json",
        "--quiet",
        "--source-language",
        "en",
    )
    names_the_pattern = answer.code == 2 and f"{folder}/{{lang}}/*: " in answer.err
    if not accepted(answer, None if names_the_pattern else spoiled):
        if output.exists():
            raise Wrong("unnamed", "pairs are written, and the command says that it failed")
        return
    facts = json.loads(answer.out)
    for lang, count in facts["sections"].items():
        same("sections", count, facts["rows"].get(lang, 0) + sum(facts["left_out"].get(lang, {}).values()))
    same("rows", filled_lines(output), sum(facts["rows"].values()))


@register
def _documents() -> Iterator[Kind]:
    files = document_files()
    yield Kind("documents", files, check_documents, seconds=10)
    for ending, format in FORMATS.items():
        own = {name: data for name, data in files.items() if name.endswith(ending)}
        yield Kind(f"documents, {format}", own, check_documents)
