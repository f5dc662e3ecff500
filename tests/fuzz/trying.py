"""How many inputs are tried, texts of every kind, and what is expected of a refusal."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from isoglot.errors import UNPRINTABLE, InputError, printable

T = TypeVar("T")
_COMMON: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
PROFILES = {
    # a failure is told as it was found, and shrunk: nothing here may depend on what an earlier run left
    "ci": settings(derandomize=True, **_COMMON),
    "long": settings(phases=[Phase.explicit, Phase.generate, Phase.target, Phase.shrink], **_COMMON),
}
PROFILE = os.environ.get("ISOGLOT_FUZZ", "ci")
_MORE = {"ci": 1, "long": 20}


def tried(examples: int) -> settings:
    """A property is tried so many times; 20 times as often in each round of a long run."""
    return settings(PROFILES[PROFILE], max_examples=examples * _MORE[PROFILE])


# what is easily lost, split, stripped, run or taken for something else
AWKWARD = (
    *("\t", "\n", "\r", "\r\n", "\0", "\x1b[31m", "\x1c", "\x1e", "\x7f", "\x85", "\xa0", "\xad"),
    *("\u200b", "\u200d", "\u2028", "\u2029", "\u202e", "\u2066", "\u3000", "\ufeff", "\ufffd"),
    *("e\u0301", "\u0e33", "\u0130", "\U0001f468", "'", '"', "`", "``", "\\", "\\n", "|", "||", "*", "_"),
    *("<b>", "&amp;", "&", "<!--", "]]>", "[a](b)", "![", "~", "^", "$", ",", ";", ":", ": ", "#", " #"),
    *("- ", "? ", "%", "%25", "{lang}", "{", "}", "[", "]", "=", "==", "+", "@", "!", "/", "..", "//"),
    *("no", "true", "null", "NaN", "1", "-0", "1e5", "0x1f", "1_000", "010", "1:30", "2020-01-01"),
    *("<<", "=a", "sep=;", "None", "9" * 4301),
)
LETTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.lists(st.sampled_from(AWKWARD) | LETTERS | st.sampled_from("abcABC zäß中ไ"), max_size=8).map("".join)
"""Texts that UTF-8 has."""
ANY_TEXTS = st.lists(
    st.sampled_from((*AWKWARD, "\ud800", "\udfff")) | st.characters() | st.sampled_from("ab "), max_size=8
).map("".join)
"""Texts with halves of surrogate pairs as well, as Python has them."""
NUMBERS = st.integers(-(10**20), 10**20) | st.integers(-3, 70_000) | st.floats(allow_nan=True) | st.floats(0, 1)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES: Any = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
"""What a JSON or YAML file may hold."""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, which is also where relative names lead, with a cache of its own. Nothing is downloaded."""
    before, cache = Path.cwd(), os.environ.get("ISOGLOT_CACHE")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        os.environ["ISOGLOT_CACHE"] = f"{name}-cache"
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)
            os.environ.pop("ISOGLOT_CACHE")
            if cache is not None:
                os.environ["ISOGLOT_CACHE"] = cache


def one_line(error: InputError) -> str:
    """The words of a refusal as the command line says them: a line, with nothing in it that moves a terminal."""
    line = " ".join(printable(str(error), keep="\n\t").split())
    assert line, "a refusal without words"
    assert not UNPRINTABLE.search(line), line
    assert len(line) < 20_000, f"a line of {len(line)} characters: {line[:200]}"
    return line


def outcome(work: Callable[[], T]) -> T | InputError:
    """What it gives, or its refusal; whatever else is raised is a finding. What is said on the way is not shown."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return work()
        except InputError as error:
            one_line(error)
            return error
