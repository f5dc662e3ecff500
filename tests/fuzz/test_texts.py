"""What is shown: terminals, Markdown, HTML. Whatever a text is, it stays a text, whole and in its place."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from isoglot.cli.search import _print
from isoglot.errors import UNPRINTABLE, InputError, first_line, printable, unknown
from isoglot.files import inside
from isoglot.study.spec import benchmark_name
from isoglot.tables import Table, as_html, as_text, code_span, escape, exact, markdown_table, text_table
from tests.fuzz.trying import ANY_TEXTS, TEXTS, folder, one_line, outcome, tried

TABLES = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(st.lists(ANY_TEXTS, min_size=width, max_size=width), min_size=1, max_size=4), st.integers(0, width)
    )
)


@tried(300)
@given(ANY_TEXTS, st.sampled_from(["", "\n", "\n\t"]))
def test_printable_texts_move_no_terminal_and_stay_so(text: str, keep: str) -> None:
    shown = printable(text, keep=keep)
    assert not UNPRINTABLE.search(re.sub(f"[{keep}]", "", shown) if keep else shown)
    assert printable(shown, keep=keep) == shown
    shown.encode()
    if not UNPRINTABLE.search(text):
        assert shown == text


@tried(150)
@example(([[""]], 0))
@given(TABLES)
def test_a_row_of_a_table_is_a_line(table: tuple[list[list[str]], int]) -> None:
    rows, text_columns = table
    lines = text_table(rows, text_columns)
    assert len(lines) == len(rows) + (len(rows) > 1)
    assert not UNPRINTABLE.search("".join(lines))
    for row, line in zip(rows, [lines[0], *lines[2:]]):
        for cell in row:
            assert printable(cell).strip() in line
    assert len(as_text([Table(*table), "a"]).splitlines()) == len(lines) + 1


class _Cells(HTMLParser):
    """The texts of the cells of a page, and the tags that there are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.is_inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.is_inside = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = self.is_inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.is_inside:
            self.cells[-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def cells_of(page: str) -> tuple[list[str], set[str]]:
    parser = _Cells()
    parser.feed(page)
    parser.close()
    return parser.cells, parser.tags


@tried(150)
@given(TABLES)
def test_html_shows_every_cell_as_it_is(table: tuple[list[list[str]], int]) -> None:
    page = as_html([Table(*table), "x"])
    cells, tags = cells_of(page)
    assert tags <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert [cell.strip() for cell in cells] == [printable(cell).strip() for row in table[0] for cell in row]
    assert not UNPRINTABLE.search(page.replace("\n", ""))


@tried(200)
@given(st.lists(TEXTS, min_size=2, max_size=4))
def test_markdown_shows_every_cell_as_it_is(texts: list[str]) -> None:
    from markdown_it import MarkdownIt

    rows = [["x"] * len(texts), [escape(text) for text in texts]]
    lines = markdown_table(rows)
    assert not UNPRINTABLE.search("".join(lines))
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render("\n".join(lines))
    cells, tags = cells_of(page)
    assert tags == {"table", "thead", "tbody", "tr", "th", "td"}, page
    assert cells[len(texts) :] == [printable(" ".join(text.split())) for text in texts]


@tried(200)
@given(ANY_TEXTS)
def test_a_code_span_is_the_text(text: str) -> None:
    from markdown_it import MarkdownIt

    span = code_span(text)
    assert not UNPRINTABLE.search(span)
    page = MarkdownIt("commonmark", {"html": True}).render(f"x {span} y")
    shown = re.fullmatch(r"<p>x <code>(.*)</code> y</p>\n", page)
    assert shown, page
    # CommonMark takes one blank from both ends
    assert unescape(shown[1]).strip() == printable(" ".join(text.splitlines())).strip()


@tried(150)
@given(*[ANY_TEXTS] * 5, st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_an_answer_is_two_lines(
    title: str, key: str, url: str, text: str, lang: str, span: tuple[int, int] | None
) -> None:
    import contextlib
    import io

    from isoglot.cli.common import Terminal

    sink = io.StringIO()
    hit = SimpleNamespace(lang=lang, score=0.5, title=title, id=key, url=url, text=text, sentence=span)
    with contextlib.redirect_stdout(Terminal(sink)):  # type: ignore[type-var]
        _print(SimpleNamespace(why="", hits=[hit]))
    assert len(sink.getvalue().splitlines()) == 2
    assert not UNPRINTABLE.search(sink.getvalue().replace("\n", "").replace("\t", ""))


@tried(150)
@given(ANY_TEXTS, st.lists(TEXTS, max_size=4))
def test_an_unknown_name_is_told_in_a_line(name: str, known: list[str]) -> None:
    assert one_line(unknown("thing", name, known))
    assert len(first_line(ValueError(name))) <= 200
    assert len(first_line(ValueError(name)).splitlines()) <= 1


@tried(200)
@given(TEXTS | st.lists(st.sampled_from(["..", ".", "/", "a", "~", "\\", ":", "C:", ""]), max_size=6).map("/".join))
def test_a_name_in_a_file_leads_nowhere_else(name: str) -> None:
    with folder() as home:
        found = outcome(lambda: inside(home, name))
        if not isinstance(found, InputError):
            assert found.resolve() != home.resolve()
            assert found.resolve().is_relative_to(home.resolve())
        own = benchmark_name(name.replace("\0", ""))
        assert own not in ("", ".", "..")
        assert "/" not in own


@tried(200)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_in_a_name_is_that_number(value: float) -> None:
    assert float(exact(value)) == value
