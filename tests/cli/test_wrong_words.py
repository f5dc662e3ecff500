"""Wrong words on the command line: one line, exit code 2, and the word that was meant."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from isoglot.bars import tqdm
from isoglot.cli.main import SHELLS, main, parser
from isoglot.cli.parser import Parser, leaves, near_option
from isoglot.errors import QUIET, VERBOSE, InputError, is_quiet, is_verbose, say, speaking, warn
from isoglot.models.resolve import resolve_base
from isoglot.places import nearest, what_is
from isoglot.processes import check_device, train_on


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command that is refused."""
    try:
        code = main(list(words))
    except SystemExit as end:
        code = int(str(end.code))
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("isoglot: ")
    return err


def empty(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run, a benchmark, a result and a file of pairs, by their names alone."""
    monkeypatch.chdir(tmp_path)
    empty(tmp_path / "runs/repaired/run.json", tmp_path / "runs/repaired/model/modules.json")
    for name in ("queries", "corpus"):
        (tmp_path / "bench" / name).mkdir(parents=True)
    empty(tmp_path / "bench/qrels.tsv", tmp_path / "res/summary.json", tmp_path / "res/per_query.parquet")
    empty(tmp_path / "pairs.jsonl")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("trian --pairs x", "unknown command 'trian' (did you mean 'train'?); known: bias, compare, "),
        ("chekc x", "unknown command 'chekc' (did you mean 'isoglot data check'?)"),
        ("mine x", "unknown command 'mine' (did you mean 'isoglot data mine'?)"),
        ("data chekc x", "unknown command 'chekc' (did you mean 'check'?)"),
        ("version", "unknown command 'version' (did you mean 'isoglot --version'?)"),
        ("", "COMMAND is missing: isoglot COMMAND [options]"),
        ("--nope evaluate a b", "unknown option '--nope'; isoglot --help"),
        ("evaluate a", "BENCHMARK is missing: isoglot evaluate MODEL BENCHMARK [options]"),
        ("evaluate a b c", "unexpected 'c': isoglot evaluate MODEL BENCHMARK [options]"),
        ("evaluate --model a b", "unknown option '--model': MODEL is given without one: isoglot evaluate MODEL BENCH"),
        ("evaluate a b --metrics AP", "unknown option '--metrics' (did you mean --measures?)"),
        ("evaluate a b --table langauges", "unknown --table 'langauges' (did you mean 'languages'?)"),
        ("evaluate a b --table languages --json", "--json: not allowed with argument --table"),
        ("list --json --markdown", "--markdown: not allowed with argument --json"),
        ("train --lr 1e-3", "unknown option '--lr' (did you mean --learning-rate?)"),
        ("train -lr 1e-3", "unknown option '-lr' (did you mean --learning-rate?)"),
        ("train --num-train-epochs 3", "(did you mean --epochs?)"),
        ("train --per_device_train_batch_size 3", "(did you mean --batch-size?)"),
        ("train --dataset x", "(did you mean --pairs?)"),
        ("train pairs.jsonl", "'pairs.jsonl': pairs are given by --pairs pairs.jsonl"),
        ("study run demo --outptu s", "unknown option '--outptu' (did you mean --output?)"),
        (
            "evaluate bench runs/repaired",
            "runs/repaired is a model, and models come first: isoglot evaluate runs/repaired bench",
        ),
        ("evaluate xquad-r org/name", "org/name is a model, and models come first: isoglot evaluate org/name xquad-r"),
        ("index pairs.jsonl runs/repaired --output x", "models come first: isoglot index runs/repaired pairs.jsonl"),
        ("evaluate a benhc", "unknown benchmark 'benhc' (did you mean 'bench'?)"),
        ("evaluate a res", "res: is a result of isoglot evaluate, not a benchmark"),
        ("evaluate a xqad-r", "unknown benchmark 'xqad-r' (did you mean 'xquad-r'?)"),
        ("data check pairs.jsnl", "pairs.jsnl: no such file (did you mean 'pairs.jsonl'?)"),
        ("data check runs/repaired", "holds no packed pairs; it is a run of isoglot train"),
        ("compare res2 res", "res2: no such folder (did you mean 'res'?)"),
        (
            "compare runs/repaired res",
            "is a run of isoglot train, not a result: isoglot evaluate runs/repaired BENCHMARK",
        ),
        ("search bench hello", "bench: no index is there; it is a benchmark; make one"),
    ],
)
def test_the_right_word_is_named(here: Path, capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert message in said(capsys, *words.split())


def test_a_misspelt_directory_is_named_before_the_hub_is_asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> bool:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("isoglot.models.load.hub_reachable", asked)
    for name in ("runs/repaird", "run/repaired", "./runs/repairedd"):
        with pytest.raises(InputError, match=r"did you mean 'runs/repaired'\?"):
            resolve_base(name)
    assert resolve_base("hub:runs/repaird").location == "runs/repaird"
    assert resolve_base("intfloat/multilingual-e5-small").layout == "hub"
    with pytest.raises(InputError, match="is a file; expected the directory of a model"):
        resolve_base("pairs.jsonl")
    with pytest.raises(InputError, match="it is a benchmark"):
        resolve_base("bench")


def test_what_lies_at_a_path(here: Path) -> None:
    assert what_is("runs/repaired") == "a run of isoglot train"
    assert (what_is("bench"), what_is("res"), what_is("runs"), what_is("no")) == (
        "a benchmark",
        "a result of isoglot evaluate",
        "",
        "",
    )
    assert nearest("rnus/repaired/modle") == Path("runs/repaired/model")
    assert nearest(here / "benhc") == here / "bench"
    assert nearest("a.jsonl") is None, "the ending alone makes no two names alike"
    assert nearest("") is None


@pytest.mark.parametrize(("device", "meant"), [("gpu", "'cuda'"), ("GPU:1", "'cuda:1'"), ("cuda1", "'cuda:1'")])
def test_what_people_call_a_device(device: str, meant: str) -> None:
    with pytest.raises(InputError, match=rf"device '{device}' \(did you mean {meant}\?\): expected cpu, cuda"):
        check_device(device)


def test_training_on_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    looked: list[str | None] = []
    monkeypatch.setattr("isoglot.processes.check_device", looked.append)
    train_on(None)
    train_on("cuda:1")
    assert (os.environ["CUDA_VISIBLE_DEVICES"], looked) == ("5", ["cuda"])
    with pytest.raises(InputError, match="CUDA_VISIBLE_DEVICES shows 1 of them"):
        train_on("cuda:1")
    train_on("cpu")
    assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["ACCELERATE_USE_CPU"]) == ("", "true")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "")
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="a launcher gives each process its own"):
        train_on("cuda:0")


def test_quiet_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(QUIET):
        assert is_quiet()
        say("a note")
        warn("a warning")
        list(tqdm([1, 2], desc="bar"))
    assert capsys.readouterr().err == "isoglot: a warning\n"
    with speaking(VERBOSE):
        assert is_verbose()
    assert [is_quiet(), is_verbose()] == [False, False]
    assert main(["-v", "data", "check", "none.jsonl"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("isoglot: none.jsonl: no such file")


def test_every_command_is_quiet_and_verbose_by_the_same_options() -> None:
    for leaf in leaves(parser()):
        assert leaf.parse_known_args.__func__ is Parser.parse_known_args  # type: ignore[attr-defined]
        options = leaf._option_string_actions
        assert all(options[flag].dest == "verbosity" for flag in ("-q", "--quiet", "-v", "--verbose")), leaf.prog


def test_what_is_at_an_output_is_replaced_only_where_that_is_asked_for() -> None:
    """Commands that write have --overwrite, or refuse what is there, or go on with it by design."""
    goes_on = {"isoglot index", "isoglot push"}
    refuses = {"isoglot debias", "isoglot inject", "isoglot data benchmark", "isoglot data from-docs"}
    refuses |= {f"isoglot model {name}" for name in ("average", "prune", "export")}
    writes = ("--output", "--picture", "--clean", "--pairs")
    for leaf in leaves(parser()):
        flags = {flag for flag in writes if getattr(leaf._option_string_actions.get(flag), "type", None) is Path}
        flags |= {"--output"} & {*leaf._option_string_actions}
        if flags and "--overwrite" not in leaf._option_string_actions:
            assert leaf.prog in goes_on | refuses, f"{leaf.prog} {flags}"


def test_near_options() -> None:
    options = ["--learning-rate", "--batch-size", "--steps", "--output", "-h"]
    named = {
        "--bs": "--batch-size",
        "--max_steps": "--steps",
        "--outputt": "--output",
        "--zzz": "",
        "--out": "--output",
    }
    assert {word: near_option(word, options) for word in named} == named


@pytest.mark.parametrize("shell", SHELLS)
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--print-completion", shell])
    script = capsys.readouterr().out
    assert end.value.code == 0
    assert all(word in script for word in ("learning-rate", "from-docs", "round-robin"))


def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--print-completion", "bash"])
    script = tmp_path / "completion.sh"
    script.write_text(capsys.readouterr().out)
    words = 'COMP_WORDS=(isoglot evaluate a b --tab) COMP_CWORD=4; _shtab_isoglot; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", f"source {script}; {words}"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["--table"]


def test_help_is_cheap() -> None:
    code = "import sys; from isoglot.cli.main import parser; parser().format_help(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
