"""Lines of texts: no program ever sees a line break."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isoglot.data.transform.translation.segments import rebuilt, segments
from isoglot.data.transform.translators import Failure

TEXTS = st.text(
    st.sampled_from("ab \t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\xa0.") | st.characters(exclude_categories=["Cs"])
)


@given(TEXTS)
def test_lines_have_no_breaks_and_no_ends(text: str) -> None:
    for line in segments(text):
        assert line == line.strip()
        assert line.splitlines() == [line]


@given(TEXTS)
def test_what_is_between_stays(text: str) -> None:
    assert rebuilt(text, lambda line: line) == text.strip()
    assert "".join("".join(segments(text)).split()) == "".join(text.split())


def test_one_line_without_translation_spoils_the_text() -> None:
    failure = Failure("no")
    assert rebuilt("a\n\nb", lambda line: failure if line == "b" else "A") == failure
    assert rebuilt("a \r\n b", str.upper) == "A \r\n B"
