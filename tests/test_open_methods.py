"""A strategy, a loss term and a tuning of one's own: one class in one file, and commands, studies and reports take it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.batching.strategies import STRATEGIES
from isoglot.cli.main import main
from isoglot.data.lexicons.registry import LEXICONS
from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.models.tunings import TUNINGS
from isoglot.registry import PLUGINS, Registry, load_plugins
from isoglot.study.read_spec import parse_spec
from isoglot.study.runs import runs_of
from isoglot.training.losses import LOSSES
from tests.study.small import small_spec
from tests.training.tiny import LANGUAGES

TWOWAY = '''
from typing import ClassVar

import numpy as np

from isoglot.batching.strategies import STRATEGIES, Strategy


@STRATEGIES.register
class Multiway(Strategy):
    """several languages of every pair on both sides"""

    name: ClassVar[str] = "twoway"
    query_languages: int = 2
    passage_languages: int = 3

    def choose(self, available, language, random):
        order = np.where(available, random().random(available.shape), 2.0)
        rank = order.argsort(axis=1).argsort(axis=1)
        return tuple(np.nonzero(available & (rank < most)) for most in (self.query_languages, self.passage_languages))
'''

ALIGN = '''
from typing import ClassVar

from isoglot.training.losses import LOSSES, LossTerm


@LOSSES.register
class Align(LossTerm):
    """1 - cosine of a query and the mean of its passages"""

    name: ClassVar[str] = "align"

    def sum(self, batch, queries, passages):
        own = batch.passages[queries.start : queries.stop] if batch.query_pairs is None else None
        if own is None:
            same = (batch.query_pairs[:, None] == batch.passage_pairs[None, :]).to(batch.passages.dtype)
            own = (same / same.sum(dim=1, keepdim=True) @ batch.passages)[queries.start : queries.stop]
        return (1 - (batch.queries[queries.start : queries.stop] * own).sum(dim=1)).sum()
'''

BIAS = '''
from typing import ClassVar

from isoglot.models.tunings import TUNINGS, Tuning


@TUNINGS.register
class Bias(Tuning):
    """only the bias vectors are trained (Ben Zaken, Goldberg and Ravfogel 2022, arXiv 2106.10199)"""

    name: ClassVar[str] = "bias"
    title: ClassVar[str] = "BitFit"
    learning_rate: ClassVar[float] = 1e-2
    trains_embeddings: ClassVar[bool] = False

    def prepare(self, model):
        for name, weight in model.named_parameters():
            weight.requires_grad = name.endswith(".bias")

    def finish(self, model, base, load, adapter):
        return model
'''


CSV = '''
import csv

from isoglot.data.lexicons.registry import LEXICONS, LexiconFormat


class Csv(LexiconFormat):
    """word,translation"""

    name = "csv"
    ending = ".csv"

    def read(self, path):
        with path.open(encoding="utf-8", newline="") as source:
            yield from csv.reader(source)


LEXICONS.register(Csv())
'''

SHOUT = '''
from typing import ClassVar

import numpy as np

from isoglot.batching.rewriting import Rewriting
from isoglot.batching.strategies import STRATEGIES
from isoglot.batching.strategies.mono import Mono


class Shouting(Rewriting):
    languages = ("loud",)

    def targets(self, n, random):
        return np.zeros(n, dtype=np.int64), np.full(n, -1)

    def rewrite(self, text, target, random):
        return text.upper()


@STRATEGIES.register
class Shout(Mono):
    """queries in capital letters"""

    name: ClassVar[str] = "shout"
    is_usual: ClassVar[bool] = False

    def rewriting(self, language):
        return Shouting()
'''


@pytest.fixture
def plugin(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a member that is defined in a file, which this process and those that it starts know of."""
    registry, name, code = request.param
    path = tmp_path / f"own_{name}.py"
    path.write_text(code)
    monkeypatch.setenv(PLUGINS, str(path))
    registry.names()
    load_plugins()
    yield name
    registry.remove(name)


def own(registry: Registry[Any], name: str, code: str) -> Any:
    return pytest.mark.parametrize("plugin", [(registry, name, code)], indirect=True, ids=[name])


def run_study(tmp_path: Path, **more: Any) -> tuple[dict[str, dict[str, Any]], str]:
    """(cells by system, the report) of a small study that the command runs, in processes of its own."""
    out = tmp_path / "out"
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(small_spec(tmp_path / "in", audit=False, **more)))  # JSON is YAML
    assert main(["study", "run", str(spec), "--output", str(out), "--threads", "1", "--workers", "2"]) == 0
    results = json.loads((out / "results.json").read_text())
    return {cell["system"]: cell for cell in results["cells"]}, (out / "report.md").read_text(encoding="utf-8")


def words(tmp_path: Path) -> list[str]:
    """Pairs, base and output of `isoglot train`."""
    small_spec(tmp_path / "in")
    folder = tmp_path / "in"
    return ["--pairs", str(folder / "pairs.jsonl"), "--base", str(folder / "tiny"), "--output", str(tmp_path / "run")]


@own(STRATEGIES, "twoway", TWOWAY)
def test_a_strategy_is_one_class(plugin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = words(tmp_path)
    plan = ["plan", *asked[:2], "--strategy", plugin, "--passage-languages", "2", "--batch-size", "4", "--json"]
    assert main(plan) == 0
    batches = json.loads(capsys.readouterr().out)["batches"]
    assert all(batch["kind"] == plugin for batch in batches)
    assert all(len(batch["query_languages"]) == len(batch["passage_languages"]) == 8 for batch in batches)
    assert {lang for batch in batches for lang in batch["passage_languages"]} == set(LANGUAGES)

    assert main(["train", *asked, "--strategy", plugin, "--batch-size", "4", "--steps", "3"]) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["asked"]["strategy"], record["asked"]["query_languages"]) == (plugin, 2)
    assert np.isfinite(record["outcome"]["last_loss"])

    with pytest.raises(InputError, match=r"unknown strategy 'twowya' .did you mean 'twoway'"):
        parse_spec(small_spec(tmp_path / "in", strategy="twowya"), "spec")
    more = {"strategy": ["mono", plugin], "tuning": "full", "passage_languages": [1, 3]}
    ids = [run.id.split(".", 2)[2] for run in runs_of(parse_spec(small_spec(tmp_path / "in", **more), "spec"))[1:]]
    assert ids == ["mono.full.s0", "twoway-2-1.full.s0", "twoway-2-3.full.s0"]
    cells, report = run_study(tmp_path, **more)
    assert cells.keys() == {"base", "mono-full", "twoway-2-1-full", "twoway-2-3-full"}
    assert all(cell["status"] == "done" for cell in cells.values())
    cell = cells["twoway-2-3-full"]
    assert (cell["label"], cell["strategy"], cell["passage_languages"]) == ("twoway 2 3, full", plugin, 3)
    assert (cells["mono-full"]["passage_languages"], cells["mono-full"]["mono_share"]) == (None, None)
    assert cell["train"]["losses"] != cells["twoway-2-1-full"]["train"]["losses"]
    assert plugin in report


@own(LOSSES, "align", ALIGN)
def test_a_loss_term_is_one_class(plugin: str, tmp_path: Path) -> None:
    asked = [*words(tmp_path), "--batch-size", "4", "--steps", "3", "--tuning", "full"]
    assert main(["train", *asked, "--loss", "infonce=1", f"{plugin}=0.25"]) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["asked"]["loss"][plugin]["weight"] == 0.25
    usual = small_spec(tmp_path / "in", strategy="mono", tuning="full")
    systems = {"aligned": [{"train": {"strategy": "mono", "tuning": "full", "loss": {"infonce": 1, plugin: 0.25}}}]}
    cells, report = run_study(tmp_path, **{key: usual[key] for key in ("strategy", "tuning")}, systems=systems)
    aligned, plain = cells["aligned"]["train"], cells["mono-full"]["train"]
    assert aligned["first_loss"] > plain["first_loss"], "a term more, at the same weights and batch"
    assert cells["aligned"]["stages"][0]["train"]["loss"][plugin]["weight"] == 0.25
    assert "aligned" in report


@own(TUNINGS, "bias", BIAS)
def test_a_tuning_is_one_class(plugin: str, tmp_path: Path) -> None:
    asked = words(tmp_path)
    assert main(["train", *asked, "--tuning", plugin, "--batch-size", "4", "--steps", "3"]) == 0
    before, after = (
        dict(load_model(str(path), device="cpu").named_parameters()) for path in (asked[3], tmp_path / "run")
    )
    moved = {name for name, weight in after.items() if not np.array_equal(weight.detach(), before[name].detach())}
    assert moved
    assert all(name.endswith(".bias") for name in moved)

    cells, report = run_study(tmp_path, strategy="mono", tuning=[plugin, "full"], learning_rates={plugin: 1e-3})
    cell = cells[f"mono-{plugin}"]
    assert (cell["label"], cell["tuning"]["kind"], cell["learning_rate"]) == (f"mono, {plugin}", plugin, 1e-3)
    assert cell["train"]["trainable_parameters"] < cells["mono-full"]["train"]["trainable_parameters"]
    assert plugin in report


@own(LEXICONS, "csv", CSV)
def test_a_format_of_lexicons_is_one_class(plugin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = words(tmp_path)
    lexicon = tmp_path / "en-de.csv"
    lexicon.write_text("".join(f"en{number},de{number}\n" for number in range(60)))
    out = tmp_path / "switched.jsonl"
    command = [
        "data",
        "switch",
        asked[1],
        "--languages",
        "en",
        "--lexicon",
        str(lexicon),
        "--output",
        str(out),
        "--json",
    ]
    assert main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["lexicons"][0]["format"] == plugin
    assert report["words"]["de"]["coverage"] == 1
    train = ["train", *asked, "--languages", "en", "--batch-size", "4", "--steps", "3"]
    assert main([*train, "--strategy", "code-switch", "--lexicon", str(lexicon)]) == 0


@own(STRATEGIES, "shout", SHOUT)
def test_a_strategy_may_rewrite_its_texts(plugin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = words(tmp_path)
    assert main(["plan", *asked[:2], "--strategy", plugin, "--batch-size", "4", "--show", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    first = next(line for line in shown if ">loud: " in line)
    query, _, passage = first.partition("  ->  ")
    assert query.partition("loud: ")[2].isupper()
    assert not passage.isupper()
    assert main(["train", *asked, "--strategy", plugin, "--batch-size", "4", "--steps", "3"]) == 0
