"""JSON by the letter, YAML without surprises, only regular files, and texts that no terminal minds."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isoglot.cli.common import Terminal
from isoglot.cli.main import main
from isoglot.errors import InputError, LineError, first_line, lack_of_memory, printable
from isoglot.files import read_json
from isoglot.reading import JsonError, open_file, parse_json
from isoglot.study.spec import StudySpec
from isoglot.tables import text_table
from isoglot.training.settings import TrainSettings
from isoglot.yaml_input import read_words, read_yaml


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('{"a": [1,\n NaN]}', 2, "NaN is no JSON number at column 2"),
        ("[-Infinity]", 1, "-Infinity is no JSON number"),
        ("[1,\n1e999]", 2, "1e999 is beyond what a number can be"),
        ("[" + "9" * 5000 + "]", 1, "a whole number of 5000 digits at column 2"),
        ("[" + "9" * 5000 + "x]", 1, "a whole number of 5000 digits"),
        ("[" * 100_000, 1, "nested too deeply"),
        ('{"a":' * 20_000, 1, "nested too deeply"),
        ('{"a": 1,\n "b": {"c": {"c": 1}, "c": "c",\n "c": 2}}', 2, "key 'c' is given twice at column 23"),
        ('["\\ud83d"]', 1, "half a surrogate pair"),
        ('["\\uDE00\\uD83D"]', 1, "half a surrogate pair"),
        ('{"a": 1', 1, "Expecting ',' delimiter"),
    ],
)
def test_json_by_the_letter(text: str, line: int, problem: str, tmp_path: Path) -> None:
    with pytest.raises(JsonError, match=problem) as caught:
        parse_json(text)
    assert caught.value.line == line
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=rf"x\.json:{line}: not valid JSON \("):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("error", "line"), [(MemoryError(), "MemoryError"), (ValueError("\n a\nb"), "a"), (OSError("x" * 300), "x" * 200)]
)
def test_what_a_library_raises_is_one_line_and_never_none(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_json_that_is_right() -> None:
    text = '{"a": [1, -2.5e3, true, null, "\\ud83d\\ude00", "NaN"], "b": {"a": 18446744073709551615}}'
    assert parse_json(text) == {"a": [1, -2500.0, True, None, "😀", "NaN"], "b": {"a": (1 << 64) - 1}}


def test_json_of_other_programs_is_read_as_they_read_it(tmp_path: Path) -> None:
    text = '{"a": 1, "a": [Infinity], "b": 1e999, "c": 1000000000000000019884624838656}'
    (tmp_path / "x.json").write_text(text)
    assert read_json(tmp_path / "x.json", strict=False) == json.loads(text)
    for wrong, problem in {
        '[NaN, "\\ud83d"]': "half a surrogate pair",
        '{"a": NaN, "a": 1, "b": ' + "9" * 5000 + "}": "a whole number of 5000 digits at column 25",
        "[NaN, " * 20_000: "nested too deeply",
    }.items():
        with pytest.raises(JsonError, match=problem):
            parse_json(wrong, strict=False)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_pipe, "is a pipe; expected a file"),
        (Path.mkdir, "is a directory; expected a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device; expected a file"),
        (lambda path: path.symlink_to(path.name), "cannot be read"),
        (lambda path: None, "no such file"),
    ],
)
@pytest.mark.parametrize("read", [open_file, read_json, read_yaml])
def test_only_regular_files_are_opened(
    tmp_path: Path, make: Callable[[Path], None], problem: str, read: Callable[[Path], Any]
) -> None:
    make(tmp_path / "x")
    with pytest.raises(InputError, match=f"x: {problem}"):
        read(tmp_path / "x")


ALIASES = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{f'*{before},' * 10}]\n" for before, name in ("ab", "bc", "cd", "de", "ef")
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: {c: 1, c: 2}", ":2: key 'c' is given twice"),
        ("a:\n  - !!int abc", ":2: 'abc' is no int"),
        ("a: !!python/object:os.system x", ":1: tag 'python/object:os.system' is not read here"),
        ("a: 1\nb: &x [*x]", ":2: nested too deeply"),
        ("[" * 100_000, ": not valid YAML"),
        (ALIASES, ":1: aliases make too many values"),
        ("a: 1\nb: \udcff", ":2: not UTF-8"),
        ("a: 1\n\nb: \x01", ":3: not valid YAML"),
        ('a: "\\ud83d"', ":1: NUL or half a surrogate pair"),
        ("? [a]\n: 1", ":1: a key must be a text"),
        ("a: 1\n---\nb: 1", ":2: not valid YAML"),
        ("- a", ": expected a mapping of settings, found list"),
    ],
)
def test_yaml_that_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert f"x.yaml{problem}" in str(caught.value)


def test_yaml_keeps_what_is_a_text(tmp_path: Path) -> None:
    lists = "a: [no, yes, 010, 1:30, 2020-99-99, 2020-01-01, 0x1F, 1e-4]\nb: [1, -2, .5, 1.50, true, null, ~]\n"
    (tmp_path / "x.yaml").write_text(f"{lists}no: &n {{x: 1}}\n<<: *n")
    assert read_yaml(tmp_path / "x.yaml") == {
        "a": ["no", "yes", "010", "1:30", "2020-99-99", "2020-01-01", "0x1F", "1e-4"],
        "b": [1, -2, 0.5, 1.5, True, None, None],
        "no": {"x": 1},
        "x": 1,
    }


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("query_prompt=query: ", "query: "),
        ("query-prompt=Question #1 ", "Question #1 "),
        ("query_prompt=", ""),
        ("query_prompt=null", "null"),
        ("passage_prompt=[a, b]", "[a, b]"),
        ("languages=[en,no]", ["en", "no"]),
        ("languages=no", "no"),
        ("pairs=[a.jsonl, 'b c.csv']", ["a.jsonl", "b c.csv"]),
        ("precision=fp32", "fp32"),
        ("steps=30", 30),
        ("lora.rank=8", 8),
        ("loss={infonce: 1}", {"infonce": 1}),
        ("seed=2020-99-99", "2020-99-99"),
        ("seed=!!int abc", "!!int abc"),
    ],
)
def test_words_are_read_by_the_type_of_their_setting(word: str, value: Any) -> None:
    key = word.partition("=")[0]
    assert read_words([word], TrainSettings.reads) == {key: value}
    for prefix in ("train.", "train.per_tuning.lora."):
        assert read_words([prefix + word], StudySpec.reads) == {prefix + key: value}


def test_words_of_inner_lists() -> None:
    words = [
        "data.0.languages=[no, en]",
        "data.0.amount=[0.5]",
        "evaluate.languages=no",
        "grid.strategy=[mono]",
        "seeds=[1]",
    ]
    assert list(read_words(words, StudySpec.reads).values()) == [["no", "en"], [0.5], "no", ["mono"], [1]]


@pytest.mark.parametrize("as_file", [True, False])
def test_text_settings_are_verbatim_in_every_way(tmp_path: Path, as_file: bool) -> None:
    prompts = ("query: ", "Question #1 ", "", "no", "007", "null", "  x")
    for prompt in prompts:
        (tmp_path / "x.yaml").write_text(f"query_prompt: '{prompt}'")
        values = (
            read_yaml(tmp_path / "x.yaml") if as_file else read_words([f"query_prompt={prompt}"], TrainSettings.reads)
        )
        assert TrainSettings(pairs=("x",), output="y", **values).query_prompt == prompt


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"warmup": float("nan")}, "warmup: expected a number, got nan"),
        ({"weight_decay": "inf"}, "weight_decay: expected a number, got 'inf'"),
        ({"max_gradient_norm": "nan"}, "max_gradient_norm: expected a number, got 'nan'"),
        ({"epochs": float("inf")}, "epochs: expected a number"),
        ({"steps": True}, "steps: expected a value other than true or false"),
        ({"language_weights": {"en": True}}, "language_weights: expected a value other than true or false"),
        ({"base": 3.10}, "base: expected text, got 3.1"),
        ({"languages": ["en", True]}, "languages: expected a value other than true or false"),
        ({"query_prompt": "\udcff"}, "query_prompt: expected text"),
        ({"eval_steps": 10**30}, "eval_steps"),
        ({"loss": "infonce", "scale": 20}, "loss"),
        ({"tuning": {"name": {"x": 1}}}, "tuning: unknown tuning"),
        ({"unpadded": "maybe"}, "unpadded: expected true or false, got 'maybe'"),
        ({"x" * 100_000: 1}, "unknown setting 'xxx"),
    ],
)
def test_settings_are_typed(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as caught:
        TrainSettings(**{"pairs": ("x",), "output": "y", **values})
    assert str(caught.value).startswith(problem)
    assert len(str(caught.value)) < 2000


def test_words_of_yaml_mean_what_they_say_where_the_setting_is_one() -> None:
    for word, value in {"yes": True, "on": True, "No": False, "false": False}.items():
        assert TrainSettings(pairs=("x",), output="y", unpadded=word).unpadded is value
    assert TrainSettings(pairs=("x",), output="y", languages=["no", "en"]).languages == ("no", "en")


def test_control_characters_do_not_reach_the_terminal() -> None:
    evil = "a\x1b[31m\u202eb\x9b\u2028c\udcff\0"
    escaped = r"a\u001b[31m\u202eb\u009b\u2028c\udcff\u0000"
    assert printable(evil) == str(InputError(evil)) == escaped
    assert str(LineError("x", 1, "\u2066")) == r"x:1: \u2066"
    assert text_table([["name", "n"], [f"{evil}\n", "1"]])[-1].split() == [rf"{escaped}\u000a", "1"]
    assert printable("שלום नमस्ते\u200dक 中文 😀") == "שלום नमस्ते\u200dक 中文 😀", "texts of any script stay"
    for bars, text, shown in (
        (False, f"{evil}\n", f"{escaped}\n"),
        (True, "\x1b[A\x1b[A", "\x1b[A\x1b[A"),
        (True, "\rx", "\rx"),
    ):
        stream = io.StringIO()
        Terminal(stream, bars=bars).write(text)
        assert stream.getvalue() == shown
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    Terminal(latin).write("é 中")
    latin.flush()
    assert latin.buffer.getvalue() == b"\xe9 \\u4e2d"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
    ],
)
def test_a_lack_of_memory_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: object) -> int:
        try:
            raise error
        except Exception as cause:
            raise ValueError("what was made of it") from cause

    monkeypatch.setattr("isoglot.cli.list._run", run)
    assert main(["list", "measures"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("isoglot: there is not enough memory (")
    assert said.count("\n") == 1


@pytest.mark.parametrize("error", [KeyError("x"), ImportError("cannot allocate memory in static TLS block")])
def test_other_errors_are_no_lack_of_memory(error: Exception) -> None:
    assert lack_of_memory(error) is None
