"""Formats of documents: what each reader makes of a small page, and what it refuses."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoglot.data.documents.cut import cut, n_words
from isoglot.data.documents.format import FORMATS, format_of
from isoglot.data.documents.formats.markdown import read_markdown
from isoglot.data.documents.page import Page
from isoglot.data.documents.sections import sections_of
from isoglot.data.documents.settings import DocumentSettings
from isoglot.errors import InputError

ASKED = DocumentSettings()
Seen = list[tuple[int, str, str, str, str]]


def pages_of(path: Path, content: str | bytes) -> list[Page]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = format_of(path)
    assert found is not None
    return list(found.read(path, ASKED))


def seen(page: Page) -> Seen:
    """Level, anchor, heading, text and problem of every section."""
    return [(s.level, s.anchor, s.heading, " | ".join(s.paragraphs), s.problem) for s in sections_of(page)]


def test_markdown(tmp_path: Path) -> None:
    text = """---
title: "The guide"
---
First words.

# Start {#start}

A *paragraph* over
two lines with `code` and [a link](x.md).

- an item
- another item

```python
print("no passage")
```

<a name="print-it"></a>

## Print it:

[All](a.md)

[Pages](b.md)

## Only code

    indented

!!! note "Mind"
    What one should mind.

    And more of it.

## 中文
一行
两行
"""
    (page,) = pages_of(tmp_path / "a.md", text)
    assert page.title == "The guide"
    assert seen(page) == [
        (0, "", "The guide", "First words.", ""),
        (1, "start", "Start", "A paragraph over two lines with code and a link. | an item | another item", ""),
        (2, "print-it", "Print it", "", "menu"),
        (2, "", "Only code", "What one should mind. | And more of it.", ""),
        (2, "", "中文", "一行两行", ""),
    ]
    assert [section.n_code for section in sections_of(page)] == [0, 1, 0, 1, 0]


WORDS = st.text(st.sampled_from("abc dé.,:;!?*_`[]()<>#+-=|~\\&%@/'\"{}^$0123中文ไทย"), min_size=1, max_size=30).map(
    lambda text: " ".join(text.split())
)
TEXTS = WORDS.filter(lambda text: any(sign.isalpha() for sign in text))


def written(sections: list[tuple[int, str, str, list[str]]]) -> str:
    """Sections as Markdown: every sign of ASCII that may mean something is escaped."""

    def escaped(text: str) -> str:
        return "".join(f"\\{sign}" if sign.isascii() and not sign.isalnum() and sign != " " else sign for sign in text)

    lines = []
    for level, anchor, heading, paragraphs in sections:
        lines += [f"{'#' * level} {escaped(heading)} {{#{anchor}}}", *map(escaped, paragraphs)]
    return "\n\n".join(lines) + "\n"


@given(st.lists(st.tuples(st.integers(1, 6), TEXTS, st.lists(TEXTS, max_size=3)), max_size=6))
def test_markdown_that_is_written_is_read(parts: list[tuple[int, str, list[str]]]) -> None:
    sections = [(level, f"a{number}", heading, texts) for number, (level, heading, texts) in enumerate(parts)]
    found = list(read_markdown(written(sections)).blocks)
    expected = []
    for level, anchor, heading, texts in sections:
        expected.append(("heading", heading, level, anchor))
        expected += [("text", text, 0, "") for text in texts]
    assert [(block.kind, block.text, block.level, block.anchor) for block in found] == expected


HTML = """<!DOCTYPE html><html lang="en"><head><title>Guide - Site</title><style>p {}</style></head><body>
<header><a href="/">Site</a></header><nav><ul><li><a href="a">Menu</a></li></ul></nav>
<main><article><header><h1 id="top">Guide</h1></header>
<p>Press <span><span hidden class="MAC">Command</span><span hidden>Ctrl</span></span>+P<!-- why --> now.</p>
<p hidden>not seen</p><script>var x</script><aside class="note"><p>Mind this.</p></aside>
<section id="second"><h2>Second<a class="headerlink" href="#second">¶</a></h2><ul><li>One</li><li>Two<br>lines</li></ul>
<pre>code <b>here</b></pre></section>
<h2><a name="third"></a>Third</h2><p><a href="x">elsewhere</a></p>
<table><tr><td>cell</td><td>another</td></tr></table>
</article></main><footer><h3>Debug</h3><p>text</p></footer></body></html>"""


def test_html(tmp_path: Path) -> None:
    (page,) = pages_of(tmp_path / "a.html", HTML)
    assert page.title == "Guide"
    assert seen(page) == [
        (1, "top", "Guide", "Press Ctrl+P now. | Mind this.", ""),
        (2, "second", "Second", "One | Two lines", ""),
        (2, "third", "Third", "cell | another", ""),
    ]
    assert sections_of(page)[1].n_code == 1
    (page,) = pages_of(tmp_path / "b.htm", "<title>T</title><p>schön")
    assert seen(page) == [(0, "", "T", "schön", "")]
    assert pages_of(tmp_path / "c.html", "") == [Page("", ())]


def test_html_in_other_encodings(tmp_path: Path) -> None:
    text = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><h1>Печать</h1><p>Файл'
    (page,) = pages_of(tmp_path / "a.html", text.encode("cp1251"))
    assert seen(page) == [(1, "", "Печать", "Файл", "")]
    for content, problem in (
        ("<p>ü".encode("latin-1"), "a.html:1: not UTF-8"),
        (b"<p>\n<meta charset=klingon>", "unknown charset 'klingon'"),
        (b"<meta charset=hex>6161", "unknown charset 'hex'"),
        ("<p>x".encode("utf-16"), "UTF-16"),
        (b"<div>" * 3000 + b"deep", "depth"),
    ):
        with pytest.raises(InputError, match=problem):
            pages_of(tmp_path / "a.html", content)


def test_rst(tmp_path: Path) -> None:
    text = """
The guide
=========

Words with :ref:`a label <x>`, ``code`` and a `link <https://example.org>`_.

.. include:: /etc/passwd
.. raw:: html
   :file: /etc/passwd

.. _printing:

Print
-----

.. note:: Mind this.

* one
* two

::

   code

.. toctree::

   other

Next
----

.. code-block:: sh

   ls
"""
    (page,) = pages_of(tmp_path / "a.rst", text)
    assert page.title == "The guide"
    assert seen(page) == [
        (1, "", "The guide", "Words with a label, code and a link.", ""),
        (2, "printing", "Print", "Mind this. | one | two", ""),
        (2, "", "Next", "", "code"),
    ]


def test_text(tmp_path: Path) -> None:
    text = "The guide\n=========\nFirst words.\nMore.\n\n2.1 Printing\n\nPress it.\n\nNext\n----\n\nDone.\n"
    (page,) = pages_of(tmp_path / "a.txt", text)
    assert [(s.heading, s.paragraphs) for s in sections_of(page)] == [
        ("The guide", ("First words. More.",)),
        ("Printing", ("Press it.",)),
        ("Next", ("Done.",)),
    ]
    assert [section.level for section in sections_of(page)] == [1, 3, 2]


DOCBOOK = """<?xml version="1.0"?>
<!DOCTYPE book [<!ENTITY app "Program">]>
<book xmlns="http://docbook.org/ns/docbook"><info><title>Book</title><legalnotice><para>GPL</para></legalnotice></info>
<chapter xml:id="one"><title>One</title><para>About &app;<indexterm><primary>x</primary></indexterm>.</para>
<section xml:id="s"><info><title>Sub <emphasis>section</emphasis></title><author>Me</author></info>
<itemizedlist><listitem><para>item</para></listitem></itemizedlist><programlisting>x = 1</programlisting></section></chapter>
<appendix id="lic"><title>License</title><para>Words of it.</para></appendix></book>"""


def test_docbook(tmp_path: Path) -> None:
    one, licence = pages_of(tmp_path / "a.xml", DOCBOOK)
    assert [one.name, one.title, licence.name] == ["one", "One", "lic"]
    assert seen(one) == [(2, "one", "One", "About Program.", ""), (3, "s", "Sub section", "item", "")]
    assert seen(licence)[0][-1] == "licence"


def test_mallard(tmp_path: Path) -> None:
    text = """<page xmlns="http://projectmallard.org/1.0/" id="print" type="topic"><info><desc>Short</desc>
<license><p>CC</p></license></info><title>Print</title><p>Press <key>P</key>.</p><code>lp file</code>
<section id="more"><title>More</title>
<steps><item><p>Use <code>lp</code>.</p></item></steps><links type="section"/></section></page>"""
    (page,) = pages_of(tmp_path / "a.page", text)
    assert seen(page) == [(1, "print", "Print", "Press P.", ""), (2, "more", "More", "Use lp.", "")]
    assert sections_of(page)[0].n_code == 1


def test_xhp(tmp_path: Path) -> None:
    text = """<helpdocument version="1.0"><meta>
<topic id="t"><title id="tit">Footnotes</title><filename>/x.xhp</filename></topic></meta>
<body><bookmark id="b"><bookmark_value>index</bookmark_value></bookmark>
<paragraph role="heading" id="hd_1x" level="1"><variable id="v"><link href="y">Footnotes</link></variable></paragraph>
<paragraph role="paragraph" id="p">Press
<switchinline select="sys"><caseinline select="MAC">Cmd</caseinline><defaultinline>Ctrl</defaultinline></switchinline>.
<comment>x</comment></paragraph>
<h2 id="hd_2x">Code</h2><bascode><paragraph role="bascode">Print 1</paragraph></bascode><embed href="z"/>
<section id="relatedtopics"><embed href="z"/></section></body></helpdocument>"""
    (page,) = pages_of(tmp_path / "a.xhp", text)
    assert page.title == "Footnotes"
    assert seen(page) == [(1, "hd_1x", "Footnotes", "Press Ctrl.", ""), (2, "hd_2x", "Code", "", "code")]


def word_file() -> bytes:
    docx = pytest.importorskip("docx")
    document, sink = docx.Document(), io.BytesIO()
    document.add_paragraph("The guide", style="Title")
    document.add_heading("Print", 1)
    document.add_paragraph("Press it.")
    cells = document.add_table(1, 2).rows[0].cells
    cells[0].text, cells[1].text = "left", "right"
    document.add_heading("More", 2)
    document.save(sink)
    return sink.getvalue()


def test_docx(tmp_path: Path) -> None:
    data = word_file()
    (page,) = pages_of(tmp_path / "a.docx", data)
    assert page.title == "The guide"
    assert seen(page) == [(1, "", "Print", "Press it. | left | right", ""), (2, "", "More", "", "no text")]
    for damaged in (b"", b"PK", data[:-200], data[:500]):
        with pytest.raises(InputError, match="not a Word document"):
            pages_of(tmp_path / "a.docx", damaged)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"word/{number}.xml", b"\0" * (60 << 20))
    with pytest.raises(InputError, match="unpacked"):
        pages_of(tmp_path / "a.docx", sink.getvalue())


def test_tables(tmp_path: Path) -> None:
    rows = [
        {"key": 1, "page": "p", "heading": "A", "text": "one\n\ntwo"},
        {"key": 2, "page": "p", "heading": "B", "text": None},
        {"key": 3, "heading": "C", "text": "three", "lang": "de"},
    ]
    pages = pages_of(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [(page.name, page.lang, seen(page)) for page in pages] == [
        ("p", "", [(1, "1", "A", "one | two", "")]),
        ("p", "", [(1, "2", "B", "", "no text")]),
        ("3", "de", [(1, "3", "C", "three", "")]),
    ]
    (page,) = pages_of(tmp_path / "a.csv", "key,heading,text\nk,H,T\n")
    assert (page.name, page.title) == ("k", "H")
    for content, problem in (
        ("key,heading\nk,H\n", "header lacks text"),
        ("key,heading,text\nk,H,T\nk,H,T\n", "a.csv:3: key 'k' is already at line 2"),
        ("key,heading,text\n,H,T\n", "field 'key'"),
    ):
        with pytest.raises(InputError, match=problem):
            pages_of(tmp_path / "a.csv", content)


def bomb() -> str:
    """Ten entities of ten of the one before."""
    entities = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 100}">' for n in range(10)]
    return f"<!DOCTYPE article [{''.join(entities)}]><article><title>T</title><para>&e9;</para></article>"


@pytest.mark.parametrize("ending", [".xml", ".page", ".xhp"])
def test_malicious_xml_is_refused(ending: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    outside = (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><article><title>T</title><para>&x;</para></article>'
    )
    parameter = f'<!DOCTYPE a [<!ENTITY % x SYSTEM "{secret.as_uri()}">%x;]><article><para>&y;</para></article>'
    for content in (bomb(), outside, parameter, "<a>" * 400 + "</a>" * 400, "<a><b></a>", "", "<a>\0</a>"):
        with pytest.raises(InputError, match=rf"a\{ending}:\d+: not well-formed XML") as error:
            pages_of(tmp_path / f"a{ending}", content)
        assert "SECRET" not in str(error.value)
    include = f'<xi:include parse="text" href="{secret.as_uri()}"/>'
    included = f'<article xmlns:xi="http://www.w3.org/2001/XInclude">{include}</article>'
    assert "SECRET" not in str(pages_of(tmp_path / f"a{ending}", included))


def test_licences_menus_and_code_are_no_passages() -> None:
    page = read_markdown("# Copyright\n\nWords.\n\n# Terms\n\nThis is under the Apache License.\n\n# Use\n\nUse it.\n")
    assert [section.problem for section in sections_of(page)] == ["licence", "licence", ""]


def test_passages_end_with_sentences() -> None:
    english = "Dr. Smith came at 3.5 p.m. to see us. He left soon. Nobody knows why."
    assert cut([english], "en", 12) == "Dr. Smith came at 3.5 p.m. to see us. He left soon."
    assert cut(["One two.", english], "en", 4) == "One two."
    assert cut(["one two three four five six"], "en", 4) == "one two three four"
    assert cut(["这是第一句话。这是第二句话。"], "zh-Hant", 6) == "这是第一句话。"
    assert cut(["ภาษาไทยไม่มีช่องว่าง"], "th", 4) == "ภาษาไท"
    assert cut(["all", "of it"], "de", 4) == "all\nof it"
    assert n_words("two words 中文字") == pytest.approx(4)


def test_formats_by_ending() -> None:
    endings = [ending for member in FORMATS for ending in member.endings]
    assert len(set(endings)) == len(endings)
    assert format_of(Path("a.unknown")) is None
    with pytest.raises(InputError, match="did you mean 'markdown'"):
        format_of(Path("a.md"), "markdwn")
