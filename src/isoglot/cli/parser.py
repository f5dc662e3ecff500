"""The parser of every command: its options are made when it is the one that was asked for, and wrong words get a hint."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from isoglot.errors import NORMAL, QUIET, VERBOSE, unknown, warn

_REQUIRED = re.compile(r"the following arguments are required: (.*)")
# what other programs call an option
_OTHERS = {
    "base-model": "base",
    "cuda": "device",
    "data": "pairs",
    "dataset": "pairs",
    "gpu": "device",
    "metric": "measures",
    "metrics": "measures",
    "model": "base",
    "out": "output",
    "train-file": "pairs",
}
_DIRECTORIES = ("DIR", "INDEX")
_FILES = ("FILE", "MODEL", "BENCHMARK", "PAIRS", "P", "RESULT", "CORPUS", "TEXTS", "SPEC", "PATTERN")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line with the word that was probably meant.

    Args:
        fill: adds the options of a command, when they are needed first.
    """

    def __init__(self, *args: Any, fill: Any = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._fill = fill
        # no default: what stands before the command is not undone behind it
        common: dict[str, Any] = {"dest": "verbosity", "action": "store_const", "default": argparse.SUPPRESS}
        self.add_argument("-q", "--quiet", const=QUIET, help="only results, warnings and errors", **common)
        more_said = "also what libraries log, and the traceback of an error"
        self.add_argument("-v", "--verbose", const=VERBOSE, help=more_said, **common)

    def fill(self) -> None:
        """Add the options, once."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse has it, but that unknown options are refused here, where those of the command are known."""
        self.fill()
        args = sys.argv[1:] if args is None else list(args)
        self._check_options(takewhile(lambda word: word.startswith("-"), args) if self.commands() else args)
        namespace, rest = super().parse_known_args(args, namespace)
        if rest:
            self._check_options(rest)
            self.error(f"unexpected '{rest[0]}': {self.short_usage()}")
        return namespace, rest

    def commands(self) -> dict[str, Parser]:
        """The parsers of the commands below this one, by name."""
        return next((dict(a.choices) for a in self._actions if isinstance(a, argparse._SubParsersAction)), {})

    def short_usage(self) -> str:
        """What has to be given, in one line."""
        needed = [action for action in self._actions if action.required or not action.option_strings]
        words = []
        for action in sorted(needed, key=lambda action: not action.option_strings):
            name = str(action.metavar or action.dest.upper())
            more = f"[{name}]" if action.nargs in ("?", "*") else f"{name}..." if action.nargs == "+" else name
            words.append(f"{action.option_strings[-1]} {more}" if action.option_strings else more)
        return " ".join([self.prog, *words, f"[options] ({self.prog} --help)"])

    def error(self, message: str) -> Any:
        """One line on stderr, and exit code 2."""
        missing = _REQUIRED.fullmatch(message)
        warn(f"{missing[1]} is missing: {self.short_usage()}" if missing else " ".join(message.split()))
        self.exit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """A word that is none of the choices, with the nearest of them."""
        if action.choices is None or value in action.choices:
            return
        if not isinstance(action, argparse._SubParsersAction):
            kind = "/".join(action.option_strings) or str(action.metavar or action.dest)
            raise argparse.ArgumentError(None, str(unknown(kind, str(value), map(str, action.choices))))
        below = [
            f"'{self.prog} {name} {near}'"
            for name, parser in self.commands().items()
            for near in difflib.get_close_matches(value, parser.commands(), n=1, cutoff=0.75)
        ]
        as_option = [f"'{self.prog} --{value}'"] if f"--{value}" in self._option_string_actions else []
        is_exact = any(value in parser.commands() for parser in self.commands().values())
        is_near = not is_exact and difflib.get_close_matches(value, action.choices, n=1)
        if not is_near and (meant := " or ".join(as_option or below)):
            raise argparse.ArgumentError(None, f"unknown command '{value}' (did you mean {meant}?)")
        raise argparse.ArgumentError(None, str(unknown("command", str(value), action.choices)))

    def _check_options(self, words: Iterable[str]) -> None:
        """Refuse the first word that is written like an option and is none."""
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            if not re.fullmatch("--?[A-Za-z][A-Za-z0-9_-]*", name):
                continue
            if not name.startswith("--"):
                is_known = any(option[1] == name[1] for option in self._option_string_actions if option[1] != "-")
            else:
                is_known = any(option.startswith(name) for option in self._option_string_actions)
            if not is_known:
                self.error(f"unknown option '{name}'{self._hint(name)}")

    def _hint(self, name: str) -> str:
        given = [str(action.metavar) for action in self._actions if not action.option_strings]
        if name.lstrip("-").upper() in given:
            return f": {name.lstrip('-').upper()} is given without one: {self.short_usage()}"
        near = near_option(name, self._option_string_actions)
        return f"{f' (did you mean {near}?)' if near else ''}; {self.prog} --help lists all"


def near_option(word: str, options: Iterable[str]) -> str:
    """The option that was probably meant by a word, "" where none is near.

    By what other programs call it, by its initials (`--lr`), by its words among others (`--num-train-epochs`), by its letters.
    """
    name = word.lstrip("-").lower().replace("_", "-")
    names = {option.lstrip("-"): option for option in options if option.startswith("--")}
    parts = set(name.split("-"))
    among = [known for known in names if set(known.split("-")) <= parts and len(known) > 2]
    meant = [
        *([name] if name in names else []),
        *([_OTHERS[name]] if _OTHERS.get(name) in names else []),
        *(known for known in names if "-" in known and "".join(part[:1] for part in known.split("-")) == name),
        *sorted(among, key=len, reverse=True),
        *difflib.get_close_matches(name, names, n=1),
    ]
    return names[meant[0]] if meant else ""


def leaves(parser: Parser) -> Iterator[Parser]:
    """The parsers of all commands below a parser, filled."""
    parser.fill()
    below = parser.commands()
    if not below:
        yield parser
    for inner in below.values():
        yield from leaves(inner)


class PrintCompletion(argparse.Action):
    """Print the completion of the whole command line for a shell, and exit."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        import shtab

        for leaf in leaves(parser):
            for action in leaf._actions:
                name = str(action.metavar or "")
                if action.choices is None and (name in _DIRECTORIES or name in _FILES or action.type is Path):
                    action.complete = shtab.DIRECTORY if name in _DIRECTORIES else shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, values))
        parser.exit(0)


def verbosity_of(options: argparse.Namespace) -> int:
    """How much is to be said."""
    return getattr(options, "verbosity", NORMAL)
