"""The package as it is used from Python: its names, what its functions take, what its results show."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoglot
from isoglot.cli.main import main
from isoglot.errors import InputError
from isoglot.evaluation.results import Result
from isoglot.records import several
from isoglot.retrieval.encode import Embeddings
from tests.evaluation.test_compare import make_result

RESULTS = Path(__file__).parents[1] / "results"
TAKES_SEVERAL = re.compile(r"(Sequence|Iterable|tuple|list)\[(str|Path|str \| Path)\b")
# a question alone is refused, so that no answer is mistaken for one of a list; texts to embed are never names
NOT_NAMES = {"queries", "texts"}


def public_callables() -> dict[str, Any]:
    """Functions, classes and public methods of classes; settings models read their fields themselves."""
    found: dict[str, Any] = {}
    for name in isoglot.__all__:
        item = getattr(isoglot, name)
        found[name] = item
        if inspect.isclass(item) and not hasattr(item, "model_fields"):
            own = {key: value for key, value in vars(item).items() if not key.startswith("_")}
            found |= {f"{name}.{key}": value for key, value in own.items() if inspect.isfunction(value)}
    return {name: item for name, item in found.items() if not hasattr(item, "model_fields")}


def test_the_public_names_are_shown() -> None:
    assert {*isoglot.__all__} <= {*dir(isoglot)}
    assert {name for name in dir(isoglot) if not name.startswith("__")} == {*isoglot.__all__}


@pytest.mark.parametrize("name", sorted(public_callables()))
def test_one_text_or_path_is_taken_where_several_are(name: str) -> None:
    """Annotations say so; the tests below call them. Records that are only read, and what other code calls, are left out."""
    item = public_callables()[name]
    if name.partition(".")[0] in {"Benchmark", "EncodedTexts", "TrainResult", "StudyOutcome", "Comparison"}:
        return
    if name == "EmbeddingStore.encode":
        return
    for parameter in inspect.signature(item).parameters.values():
        hint = str(parameter.annotation)
        if TAKES_SEVERAL.search(hint) and parameter.name not in NOT_NAMES:
            assert re.match(r"(str|Path) \|", hint), f"{name}({parameter.name}: {hint})"
        if "Path" in hint:
            assert "str" in hint, f"{name}({parameter.name}: {hint}) takes no text"


def test_one_text_is_no_list_of_letters(tmp_path: Path) -> None:
    assert several("de") == ["de"]
    assert several(Path("a/b")) == ["a/b"]
    assert several(("de", Path("b"))) == ["de", "b"]
    assert isoglot.TrainSettings(pairs="faq.csv", output="x", languages="de").pairs == ("faq.csv",)
    paths = isoglot.TrainSettings(pairs=[Path("faq.csv"), "more.csv"], output=Path("runs/x"), base=Path("my/base"))
    assert (paths.pairs, paths.output, paths.base) == (("faq.csv", "more.csv"), "runs/x", "my/base")
    assert isoglot.EvaluateSettings(measures="nDCG@10", settings="cross", languages="de").languages == ("de",)
    assert isoglot.Lora(targets="query-value").targets == ("query-value",)
    assert isoglot.load_benchmark("faq", languages="th").query_languages == ["th"]
    assert isoglot.load_pairs("facts:?relations=endonym", languages="th").languages == ("th",)
    texts = tmp_path / "de.jsonl"
    texts.write_text('{"id": "1", "text": "Guten Tag"}\n')
    assert len(isoglot.cut_files(str(texts), 10)) == 1
    with pytest.raises(InputError, match="cut it first"):
        isoglot.encode_shards("model", str(texts), tmp_path / "vectors")
    with pytest.raises(InputError, match="nothing to compare"):
        isoglot.compare("results/base")
    with pytest.raises(InputError, match="nothing to compare"):
        isoglot.load_systems("results/base")
    with pytest.raises(InputError, match=r"missing\.yaml"):
        isoglot.load_spec(str(tmp_path / "missing.yaml"), "train.steps=3")
    with pytest.raises(InputError, match="a new one needs a MODEL"):
        isoglot.index(None, None, str(tmp_path / "index"), delete="page-7")


@pytest.fixture(scope="module")
def result() -> Result:
    """Of BM25 on two languages."""
    return isoglot.evaluate(isoglot.BM25(), "faq", languages=["de", "en"], progress=False)


def test_a_result_prints_as_on_the_command_line(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "bm25", "faq", "--languages", "de", "en", "--output", str(tmp_path / "bm25")]) == 0
    assert capsys.readouterr().out == f"{result}\n"
    assert f"{isoglot.load_result(tmp_path / 'bm25')}" == str(result)
    html = result._repr_html_()
    assert html.count("<table>") == str(result).count("\n---") == 3
    assert all(f"{value:.3f}" in html for value in result.summary["settings"]["cross"].values())
    frame = result.to_pandas()
    assert frame[frame.setting == "multi"].AP.mean() == pytest.approx(result.summary["settings"]["multi"]["AP"])
    assert repr(result).startswith("<Result of bm25")


def test_html_shows_a_name_as_it_is(result: Result) -> None:
    assert "&lt;b&gt;" in Result({**result.summary, "notes": ["<b>"]}, result.per_query)._repr_html_()


def test_results_are_compared_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = make_result(), make_result(seed=1)
    before.save(tmp_path / "before")
    after.save(tmp_path / "after")
    folders = [tmp_path / "before", tmp_path / "after"]
    by_path = isoglot.compare(folders, resamples=99)
    assert main(["compare", *map(str, folders), "--resamples", "99"]) == 0
    assert capsys.readouterr().out == f"{by_path}\n"
    named = isoglot.compare({"before": before, "after": tmp_path / "after"}, resamples=99)
    assert str(named) == str(by_path)
    assert named._repr_html_().count("<table>") == 2
    frame = named.to_pandas()
    assert list(frame.difference) == [item.difference for item in named.differences]
    assert list(frame.low) == [item.interval[0] for item in named.differences]
    same = isoglot.compare([before, after], resamples=99)  # both are called by one model
    assert list(same.systems) == [before.summary["model"], f"{before.summary['model']} (2)"]
    with pytest.raises(InputError, match="'before' names two systems"):
        isoglot.compare([tmp_path / "before", *isoglot.load_systems([f"before={folders[1]}", str(folders[0])])])


def test_a_model_is_measured_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = isoglot.load_benchmark("faq", languages=["de", "en"])
    drawn = np.random.default_rng(0)
    sizes = (benchmark.n_queries, benchmark.n_documents)
    vectors = Embeddings(*(drawn.standard_normal((size, 8)).astype(np.float32) for size in sizes))
    asked: list[Any] = []
    monkeypatch.setattr("isoglot.models.load.load_model", lambda name, device: asked.append((name, device)) or vectors)
    result = isoglot.evaluate(Path("runs/x"), benchmark, device="cpu", progress=False)
    assert asked == [("runs/x", "cpu")]
    assert result.summary["model"] == "runs/x"
    by_name = isoglot.evaluate("bm25", benchmark, progress=False)
    assert by_name.summary["model"] == str(isoglot.BM25())
    monkeypatch.undo()
    with pytest.raises(InputError, match="no-such-model"):
        isoglot.evaluate("./no-such-model", benchmark)


def test_a_committed_study_is_read_and_shown() -> None:
    study = isoglot.load_study(RESULTS / "demo")
    assert study.complete
    assert not study.failed
    frame = study.to_pandas()
    cells = json.loads((RESULTS / "demo" / "results.json").read_text(encoding="utf-8"))["cells"]
    assert set(frame.cell) == {cell["id"] for cell in cells}
    base = frame[(frame.kind == "base") & (frame.setting == "cross") & (frame.measure == "nDCG@10")]
    assert base.value.item() == pytest.approx(cells[0]["benchmarks"]["faq"]["settings"]["cross"]["nDCG@10"])
    printed = str(study)
    assert f"{base.value.item():.4f}" in printed
    assert study._repr_html_().startswith("<pre>")
    with pytest.raises(InputError, match="no such directory"):
        isoglot.load_study("no-such-study")


def test_a_run_prints_as_on_the_command_line() -> None:
    outcome = {"steps": 3, "seconds": 2.4, "first_loss": 1.25, "last_loss": 0.5}
    assert str(isoglot.TrainResult(Path("r"), True, 3, outcome)) == "r/model: 3 steps in 2 s, loss 1.2500 -> 0.5000"
    assert str(isoglot.TrainResult(Path("r"), False, 2, {})) == "r: interrupted after step 2"


@pytest.mark.parametrize("name", [name for name in isoglot.__all__ if ">>>" in (getattr(isoglot, name).__doc__ or "")])
def test_examples_in_docstrings_run(name: str) -> None:
    item = getattr(isoglot, name)
    module = importlib.import_module(item.__module__)
    for example in doctest.DocTestFinder(recurse=False).find(item, name, module, globs={**vars(module)}):
        assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


def test_some_docstrings_have_examples() -> None:
    shown = {name for name in isoglot.__all__ if ">>>" in (getattr(isoglot, name).__doc__ or "")}
    assert shown >= {"BatchPlan", "TrainSettings", "compare", "evaluate", "load_benchmark", "load_pairs"}
