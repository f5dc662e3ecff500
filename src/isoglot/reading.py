"""What all readers of files share: only regular files are opened, and JSON is read strictly."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

from isoglot.errors import InputError
from isoglot.places import did_you_mean

_KINDS = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WHOLE = re.compile("[0-9]{1,18}")
_CONSTANT = re.compile("NaN|-?Infinity")
_COLON = re.compile(r"\s*:")
_DIGITS = 300  # within what float64 holds; tokenizers write 10^30 for a limit that they do not have


def whole_number(text: str) -> int | None:
    """The number that a text of at most 18 digits is; None for any other text: Python makes none of more than 4,300 digits."""
    return int(text) if _WHOLE.fullmatch(text) else None


def open_file(path: str | Path) -> BinaryIO:
    """A regular file, opened to be read. InputError where there is none, or it cannot be read: a pipe would hang.

    `<(...)` of a shell is a pipe, too.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "a device")
            raise InputError(f"{path}: is {kind}; expected a file")
        return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{did_you_mean(path)}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError:
        raise InputError(f"{path}: cannot be read (a file name holds no NUL)") from None


def read_text(path: str | Path) -> str:
    """The UTF-8 text of a file, without a byte order mark. InputError names the line that is not UTF-8."""
    with open_file(path) as source:
        data = source.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{1 + data.count(10, 0, error.start)}: {not_utf8(data, error)}") from None


def not_utf8(data: bytes, error: UnicodeDecodeError) -> str:
    """What is wrong with bytes that are not UTF-8, and what would be right."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "not UTF-8 but UTF-16 (by its byte order mark); save the file as UTF-8"
    return f"not UTF-8 ({error.reason} at byte {error.start}); save the file as UTF-8"


class JsonError(ValueError):
    """Text that is no JSON value by the letter; `line` is 1-based."""

    def __init__(self, line: int, column: int, problem: str) -> None:
        super().__init__(f"{problem} at column {column}")
        self.line = line


def parse_json(text: str, *, strict: bool = True) -> Any:
    """The value of a JSON text, by the letter of RFC 8259.

    Args:
        strict: False for files that other programs write for themselves, and read by Python's `json`: as that reads NaN, Infinity
            and a key given twice (the last one counts), so that both see the same.

    Raises:
        JsonError: a syntax error; a whole number of more than 300 digits; half a surrogate pair; nesting deeper than the
            interpreter's stack; if strict, NaN, Infinity or a number beyond float64, or a key given twice in one object.
    """
    try:
        value = (_STRICT if strict else _LENIENT).decode(text)
        if "\\ud" in text or "\\uD" in text:  # elsewhere no half of a surrogate pair can come from
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise JsonError(error.lineno, error.colno, error.msg) from None
    except (ValueError, RecursionError):
        raise _problem(text, strict) from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError
    return int(text)


def _refuse(constant: str) -> Any:
    raise ValueError


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_int=_whole, parse_constant=_refuse)
_LENIENT = json.JSONDecoder(parse_int=_whole)


def _problem(text: str, strict: bool) -> JsonError:
    """The first thing in well-formed JSON that is refused: the decoder knows no places, so its tokens are gone through."""
    keys: list[set[str] | None] = []
    problem, place = "nested too deeply", 0
    for match in _TOKEN.finditer(text):
        token, place = match.group(), match.start()
        if token in "{[":
            keys.append(set() if token == "{" else None)
            if len(keys) > 500:
                break
        elif token in "}]" and keys:
            keys.pop()
        elif token[0] == '"':
            string, known = json.loads(token), keys[-1] if keys else None
            if any("\ud800" <= character <= "\udfff" for character in string):
                problem = "half a surrogate pair: no character"
                break
            if strict and known is not None and _COLON.match(text, match.end()):
                if string in known:
                    problem = f"key {string[:80]!r} is given twice"
                    break
                known.add(string)
        elif (strict or len(token) > _DIGITS) and token[0] in "-0123456789NI" and (wrong := _wrong_number(token)):
            problem = wrong
            break
    return JsonError(1 + text.count("\n", 0, place), place - text.rfind("\n", 0, place), problem)


def _wrong_number(token: str) -> str:
    if constant := _CONSTANT.match(token):  # whatever stands behind it: the decoder refuses it before it looks there
        return f"{constant[0]} is no JSON number"
    match = _NUMBER.match(token)
    if not match:
        return ""
    if match[0].removeprefix("-").isdecimal():
        return f"a whole number of {len(match[0])} digits" if len(match[0]) > _DIGITS else ""
    return "" if math.isfinite(float(match[0])) else f"{match[0][:40]} is beyond what a number can be"
