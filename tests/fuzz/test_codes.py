"""Language codes: a text is one language under one spelling, or none."""

from __future__ import annotations

import re

from babel.core import Locale, get_global
from hypothesis import given
from hypothesis import strategies as st

from isoglot.data.languages import known_language, language, script_of, spelled
from isoglot.errors import InputError
from tests.fuzz.trying import ANY_TEXTS, outcome, tried

LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyz")
SUBTAGS = (
    st.sampled_from(sorted({*get_global("likely_subtags"), *get_global("language_aliases")}))
    | st.sampled_from(sorted(Locale("en").scripts))
    | st.sampled_from(sorted({*Locale("en").territories, *get_global("territory_aliases")}))
    | st.text(LETTERS, min_size=1, max_size=9)
    | st.sampled_from(["x", "1996", "valencia", "419", "", "und", "root", "art", "zxx", "mul", "sh", "no", "iw", "pbt"])
)
CODES = ANY_TEXTS | st.tuples(st.lists(SUBTAGS, min_size=1, max_size=4), st.sampled_from("-_")).map(
    lambda p: p[1].join(p[0])
)


@tried(600)
@given(CODES)
def test_a_code_is_one_language_or_none(code: str) -> None:
    found = outcome(lambda: language(code))
    if isinstance(found, InputError):
        assert known_language(code) == ""
        assert spelled(code) == code
        return
    assert language(found) == found, "its spelling is a spelling of it"
    assert re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-[a-z0-9]{1,8})*", found), found
    for other in (code.upper(), code.lower(), code.replace("-", "_"), f" {code}\n"):
        assert language(other) == found
    assert script_of(found) == "" or re.fullmatch("[A-Z][a-z]{3}", script_of(found))
    assert spelled(code) == found
