"""Specs, settings and what runs and studies left."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

from isoglot.errors import InputError
from tests.malformed.kinds.shared import Kind, Wrong, accepted, refused, register, run, words_of

SPEC = b"""\
name: toy
question: Does it?   # a comment
base: [offline:multilingual-e5-small]
data: [{name: facts, pairs: ["facts:"], benchmarks: [faq], amount: [0.5, 1], languages: [en, de]}]
grid: {strategy: [mono, hybrid], mono_share: [0.2, .5], tuning: [lora, {name: small, kind: lora, rank: 4}]}
systems:
  fixed: [{debias: {method: lsar, fit: pairs}}]
  more: [hybrid-0.5-lora, {average: 0.75}]
seeds: [0, 1]
train: {steps: 20, batch_size: 8, warmup: 0.1, query_prompt: "query: ", per_tuning: {lora: {steps: 30}}}
learning_rates: {lora: [1e-3, 1e-4]}
selection: {steps: 5, validation_share: 0.1}
evaluate: {measures: [nDCG@10, AP], settings: [mono, cross, multi]}
claims:
  better: {of: {strategy: hybrid}, against: {strategy: mono}, measure: nDCG@10, setting: cross}
audit: false
"""


def check_spec(folder: Path, spoiled: Path) -> None:
    from isoglot.study.read_spec import load_spec

    try:
        spec = load_spec(spoiled)
        assert spec.digest
        assert spec.all_systems()
    except InputError as error:
        refused(words_of(error), spoiled)


CONFIG = b"""\
pairs: [facts:]
output: run
languages: [de, en]
strategy: hybrid
mono_share: 0.5
batch_size: 8
steps: 3
learning_rate: 1e-4
warmup: 0.1
weight_decay: 0
query_prompt: "query: "
passage_prompt: 'passage: '
max_length: 128
precision: fp32
unpadded: false
seed: 3
lora: {rank: 8, alpha: 16}
loss: {infonce: {scale: 20}}
"""


def settings_of(*words: str) -> None:
    """The settings of `isoglot train` as the command makes them."""
    from isoglot.cli.main import parser
    from isoglot.cli.train import _settings

    settings = _settings(parser().parse_args(["train", *words]))
    assert json.dumps(settings.to_flat(), allow_nan=False)


def check_config(folder: Path, spoiled: Path) -> None:
    try:
        settings_of("--config", str(spoiled), "--pairs", "facts:", "--output", "run")
    except InputError as error:
        refused(words_of(error), spoiled)


def check_words(folder: Path, spoiled: Path) -> None:
    """A file of words: `key=value` for train, and changes of a spec."""
    from isoglot.study.read_spec import load_spec

    words = spoiled.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "").splitlines()
    spec = folder / "spec.yaml"
    for attempt in (
        lambda: settings_of("--pairs", "facts:", "--output", "run", *words),
        lambda: load_spec(spec, [f"train.{word}" for word in words]),
        lambda: load_spec(spec, words),
    ):
        try:
            with contextlib.redirect_stderr(io.StringIO()) as err:
                attempt()
        except InputError as error:
            refused(words_of(error), None)
        except SystemExit:
            if "error:" not in err.getvalue() and "isoglot: unknown option" not in err.getvalue():
                raise Wrong("unnamed", "usage without an error") from None


WORDS = (
    b"steps=3\nquery_prompt=query: \nlanguages=[en,no]\nlora.rank=8\nwarmup=.1\nloss={infonce: 1}\nscale=20\nseed=1\n"
)


def check_run(folder: Path, spoiled: Path) -> None:
    """The record of a run: resumed, and as what it says of a model."""
    from isoglot.training.rundir import RunDirectory
    from isoglot.training.settings import TrainSettings

    settings = TrainSettings(pairs=("facts:",), output=str(folder / "run"), steps=3)
    try:
        RunDirectory(folder / "run").check(settings, resume=True, overwrite=False)
    except InputError as error:
        refused(words_of(error), spoiled)


def run_files() -> dict[str, bytes]:
    from isoglot.training.settings import TrainSettings

    asked = TrainSettings(pairs=("facts:",), output="run", steps=3).to_flat()
    record = {"asked": asked, "data": {"digest": "x"}, "base": {"digest": "y"}, "outcome": {"steps": 3}}
    return {"run/run.json": json.dumps(record).encode()}


def study_files() -> dict[str, bytes]:
    home = Path(__file__).parents[3] / "results/demo"
    names = ("study.json", "results.json", "cost.json", "audit.json", "export.json", "per_query.parquet")
    return {f"study/{name}": (home / name).read_bytes() for name in names}


def check_study(folder: Path, spoiled: Path) -> None:
    accepted(run("study", "report", str(folder / "study"), "--no-figures"), spoiled)


@register
def _studies() -> Iterator[Kind]:
    yield Kind("study spec", {"spec.yaml": SPEC}, check_spec)
    yield Kind("train config", {"train.yaml": CONFIG}, check_config)
    yield Kind("key=value words", {"words": WORDS, "spec.yaml": SPEC}, check_words, ("words",))
    yield Kind("run record", run_files(), check_run)
    yield Kind("study results", study_files(), check_study, seconds=20, every=5)
