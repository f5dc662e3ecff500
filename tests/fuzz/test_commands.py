"""The command line: whatever words a command is given, it does its work or says in a line why not."""

from __future__ import annotations

import argparse
import re
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from isoglot.cli.main import parser
from isoglot.cli.parser import Parser
from isoglot.errors import UNPRINTABLE
from tests.fuzz.trying import ANY_TEXTS, NUMBERS, folder, tried
from tests.malformed.kinds.pairs import delimited
from tests.malformed.kinds.shared import Answer, jsonl, pair_rows, run

WHOLE = (
    "plan",
    "list",
    "compare",
    "search",
    "bias",
    "data check",
    "data pack",
    "data benchmark",
    "data texts",
    "data list",
)
"""Commands that need no model, or one that is not there."""
APART = {"--overwrite", "--print-completion", "-h", "--help", "-V", "--version"}
OUTSIDE = re.compile(r"[/~\0]|\.\.|hub|[\ud800-\udc7f\udd00-\udfff]")
"""What leads out of the folder, onto the network, or cannot stand on a command line."""
FILES = ("p.jsonl", "p.csv", "p", "no.jsonl", "out.jsonl", "out", ".", "")
VALUES = (
    st.sampled_from(
        [*FILES, "de", "en", "xx", "mono", "hybrid", "0.5", "2", "id=1", "a=b", "query=query", "AP", "nDCG@3", "faq"]
    )
    | NUMBERS.map(str)
    | ANY_TEXTS
).filter(lambda text: not OUTSIDE.search(text))


@cache
def commands() -> dict[str, tuple[argparse.Action, ...]]:
    """The options of every command."""
    found: dict[str, tuple[argparse.Action, ...]] = {}

    def below(one: Parser, name: str) -> None:
        one.fill()
        inner = one.commands()
        if not inner:
            found[name] = tuple(action for action in one._actions if not {*action.option_strings} & APART)
        for word, other in inner.items():
            below(other, f"{name} {word}".strip())

    below(parser(), "")
    return found


@st.composite
def lines(draw: Any, names: tuple[str, ...]) -> list[str]:
    """A command with some of its options and words, most of them in places where they may stand."""
    name = draw(st.sampled_from(names))
    words: list[str] = []
    for action in draw(st.lists(st.sampled_from(commands()[name]), max_size=4)):
        flag = list(action.option_strings[-1:])
        if action.nargs == 0:
            words += flag
        else:
            few = st.lists(
                VALUES, min_size=0 if action.nargs in ("*", "?") else 1, max_size=3 if action.nargs in ("*", "+") else 1
            )
            choices = (
                few if not action.choices else few | st.sampled_from([*map(str, action.choices)]).map(lambda one: [one])
            )
            given_ = draw(choices)
            words += [f"{flag[0]}={given_[0]}"] if flag and len(given_) == 1 else [*flag, *given_]
    return [*name.split(), *draw(st.lists(VALUES, max_size=2)), *words]


def told(answer: Answer, words: list[str]) -> None:
    assert answer.code in (0, 1, 2), (words, answer)
    assert "Traceback" not in answer.err
    assert not UNPRINTABLE.search(re.sub("[\n\t\r]", "", answer.out + answer.err)), (words, answer)
    if answer.code == 2:
        assert answer.err.endswith("\n"), (words, answer.err)
        assert answer.err.splitlines()[-1].startswith("isoglot: "), (words, answer.err)


@tried(40)
@given(lines(WHOLE))
def test_commands_with_any_words(words: list[str]) -> None:
    assume(not any(word.startswith(("--verb", "-v")) for word in words))  # tracebacks are what they ask for
    with folder() as home:
        (home / "p.jsonl").write_bytes(jsonl(pair_rows()))
        (home / "p.csv").write_bytes(delimited(","))
        (home / "p").mkdir()
        before = sorted(path.name for path in home.iterdir())
        answer = run(*words)
        told(answer, words)
        left = {path.name for path in Path().iterdir()} - {*before}
        assert not [name for name in left if name.startswith(".") and name.endswith((".tmp", ".lock"))], left
        assert (home / "p.jsonl").read_bytes() == jsonl(pair_rows()), "what was there is as it was"


@tried(80)
@given(st.deferred(lambda: lines(tuple(commands()))))
def test_any_words_are_parsed_or_refused(words: list[str]) -> None:
    """All commands, but only their words: models and servers stay out of it."""
    from unittest.mock import patch

    with folder(), patch("isoglot.cli.main.parser", lambda: Unrun()):
        told(run(*words), words)


class Unrun:
    """The parser, whose commands end when their words are understood."""

    def parse_args(self, words: Any) -> Any:
        options = parser().parse_args(words)
        options.run = lambda _: 0
        return options
