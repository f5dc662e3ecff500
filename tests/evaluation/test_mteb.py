"""Results in MTEB's schema, and mteb 2.x running our tasks and finding our figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.measures import parse_measure
from isoglot.evaluation.mteb_results import mteb_key, mteb_language, task_name, to_mteb_results, write_mteb_results
from isoglot.evaluation.results import Result
from isoglot.records import SETTINGS, Benchmark, Texts
from isoglot.retrieval.encode import Embeddings
from tests.evaluation.exports import coarse, toy, vectors
from tests.realdata import lareqa_dir
from tests.training.tiny import LANGUAGES, tiny_base

MEASURES = ("nDCG@10", "AP@10", "AP@1000", "R@10", "R@100", "RR@10", "P@10", "Success@1")
REASON = "mteb is not installed (extra mteb)"
MLQA_COMMIT = "354d67d1cd066854cdfbf5ad0e6105528976141d"


def test_languages() -> None:
    codes = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh", "zh-Hant", "sw", "fa", "yo", "zh-HK"]
    assert " ".join(mteb_language(code) for code in codes) == (
        "arb-Arab deu-Latn ell-Grek eng-Latn spa-Latn hin-Deva rus-Cyrl tha-Thai tur-Latn vie-Latn zho-Hans zho-Hant "
        "swa-Latn fas-Arab yor-Latn zho-Hant"
    )


def test_names_tell_subsets_and_contexts_apart() -> None:
    every = ["ar", "de", "en", "es", "hi", "vi", "zh"]
    assert task_name("mlqa-r", "mono", every, "sentence", "") == "MLQARMonolingual"
    assert task_name("mlqa-r", "multi", every[::-1], "paragraph", "") == "MLQARMultilingualParagraph"
    assert task_name("mlqa-r", "cross", ["en", "de"], "sentence", "") == "MLQARCrosslingual-de-en"
    assert task_name("/data/my faq", "cross", ["en", "de"], "sentence", "0123456789") == "myfaqCrosslingual-01234567"


def test_schema(tmp_path: Path) -> None:
    benchmark = toy()
    result = evaluate(coarse(benchmark), benchmark, measures=MEASURES)
    mono, cross, multi = to_mteb_results(result)
    assert [value["task_name"].split("-")[0] for value in (mono, cross, multi)] == [
        "toyMonolingual",
        "toyCrosslingual",
        "toyMultilingual",
    ]
    pair = next(cell for cell in cross["scores"]["test"] if cell["hf_subset"] == "de-th")
    ours = result.summary["per_language"]["cross"]["matrix"]["de"]["th"]
    assert pair == {
        **{mteb_key(parse_measure(name)): ours[name] for name in MEASURES},
        "main_score": ours["nDCG@10"],
        "hf_subset": "de-th",
        "languages": ["deu-Latn", "tha-Thai"],
    }
    mean = np.mean([cell["main_score"] for cell in cross["scores"]["test"]])
    assert mean == pytest.approx(result.summary["settings"]["cross"]["nDCG@10"])
    assert multi["scores"]["test"][0]["rank_distance"] == result.summary["bias"]["per_language"]["de"]["rank_distance"]
    assert mono["dataset_revision"] == result.summary["digests"]["benchmark"]
    paths = write_mteb_results(result, tmp_path)
    assert json.loads(paths[2].read_text()) == multi
    with pytest.raises(InputError, match=r"nDCG@10 is MTEB's main score"):
        to_mteb_results(evaluate(coarse(benchmark), benchmark, measures=["R@1"]))
    assert to_mteb_results(evaluate(coarse(benchmark), benchmark, measures=["R@1"]), parse_measure("R@1"))


def test_mteb_reads_our_results(tmp_path: Path) -> None:
    mteb = pytest.importorskip("mteb", reason=REASON)
    benchmark = toy()
    result = evaluate(coarse(benchmark), benchmark, measures=MEASURES)
    for path, setting in zip(write_mteb_results(result, tmp_path), SETTINGS):
        read = mteb.TaskResult.from_disk(path)
        assert read.get_score() == pytest.approx(result.summary["settings"][setting]["nDCG@10"])
        recall = read.get_score(getter=lambda scores: scores["recall_at_10"])
        assert recall == pytest.approx(result.summary["settings"][setting]["R@10"])
        read.to_disk(tmp_path / "again.json")
        assert mteb.TaskResult.from_disk(tmp_path / "again.json").task_name == read.task_name
    german = mteb.TaskResult.from_disk(tmp_path / path.name).get_score(languages=["deu"])
    assert german == pytest.approx(result.summary["per_language"]["multi"]["de"]["nDCG@10"])


def coarse_encoder() -> Any:
    """An mteb encoder that gives the vectors of `coarse` and counts the texts that it encodes."""
    import torch
    from mteb.models import ModelMeta

    class Coarse:
        mteb_model_meta = ModelMeta.create_empty(overwrites={"name": "isoglot/coarse", "revision": "1"})
        encoded = 0

        def encode(self, inputs: Any, **_: Any) -> Any:
            texts = [text for batch in inputs for text in batch["text"]]
            self.encoded += len(texts)
            return torch.from_numpy(vectors(texts))

        def similarity(self, one: Any, other: Any) -> Any:
            return torch.as_tensor(one) @ torch.as_tensor(other).T

        def similarity_pairwise(self, one: Any, other: Any) -> Any:
            return (torch.as_tensor(one) * torch.as_tensor(other)).sum(dim=1)

    return Coarse()


def assert_agrees(ran: Any, result: Result, names: tuple[str, ...] = MEASURES) -> int:
    """Every figure of every cell that mteb computed, and the averages; returns how many cells there were."""
    ours = {value["task_name"]: value for value in to_mteb_results(result)}
    cells = 0
    for theirs in ran.task_results:
        mine = ours.pop(theirs.task_name)
        assert theirs.dataset_revision == mine["dataset_revision"]
        assert {cell["hf_subset"] for cell in theirs.scores["test"]} == {c["hf_subset"] for c in mine["scores"]["test"]}
        by_subset = {cell["hf_subset"]: cell for cell in theirs.scores["test"]}
        for cell in mine["scores"]["test"]:
            other = by_subset[cell["hf_subset"]]
            assert other["languages"] == cell["languages"]
            for key in ("main_score", *(mteb_key(parse_measure(name)) for name in names)):
                assert cell[key] == pytest.approx(other[key], abs=1e-4), (theirs.task_name, cell["hf_subset"], key)
            cells += 1
        mean = np.mean([cell["main_score"] for cell in mine["scores"]["test"]])
        assert theirs.get_score() == pytest.approx(mean, abs=1e-4)
    assert not ours, "mteb left out a setting"
    return cells


def test_mteb_finds_our_figures() -> None:
    mteb = pytest.importorskip("mteb", reason=REASON)
    from isoglot.evaluation.mteb_tasks import make_task

    benchmark = toy()
    tasks = [make_task(benchmark, setting) for setting in SETTINGS]
    model = coarse_encoder()
    ran = mteb.evaluate(model, tasks, cache=None, show_progress_bar=False)
    assert assert_agrees(ran, evaluate(coarse(benchmark), benchmark, measures=MEASURES)) == 3 + 6 + 3
    assert model.encoded > 3 * (benchmark.n_queries + benchmark.n_documents), "mteb encodes per subset"
    # mteb unloads what it loaded; a task runs again, and parts of it run alone
    again = mteb.evaluate(model, tasks[1], cache=None, show_progress_bar=False)
    assert again.task_results[0].get_score() == ran.task_results[1].get_score()


def test_a_sentence_transformer(tmp_path: Path) -> None:
    """The whole way: prompts, pooling and cosine of a model are those of `evaluate`."""
    mteb = pytest.importorskip("mteb", reason=REASON)
    from sentence_transformers import SentenceTransformer

    from isoglot.evaluation.mteb_tasks import make_task

    rng = np.random.default_rng(0)
    said = {lang: [" ".join(f"{lang}{n}" for n in rng.integers(0, 60, 6)) for _ in range(40)] for lang in LANGUAGES}
    queries = {lang: Texts([f"q{i}" for i in range(15)], [text[:9] for text in said[lang][:15]]) for lang in LANGUAGES}
    corpus = {lang: Texts([f"{lang}{i}" for i in range(40)], said[lang]) for lang in LANGUAGES}
    pairs = np.array([(15 * q + i, 40 * d + i) for q in range(3) for i in range(15) for d in range(3)])
    judgments = Judgments(pairs[:, 0], pairs[:, 1], np.ones(len(pairs)))
    benchmark = make_benchmark("words", queries, corpus, judgments)
    model = SentenceTransformer(str(tiny_base(tmp_path)), device="cpu")
    model.prompts = {"query": "de1 de2 ", "document": "en3 "}
    ran = mteb.evaluate(model, [make_task(benchmark, s) for s in SETTINGS], cache=None, show_progress_bar=False)
    result = evaluate(model, benchmark, measures=MEASURES, progress=False)
    assert assert_agrees(ran, result) == 12
    model.prompts = {"query": "", "document": ""}
    assert (
        evaluate(model, benchmark, measures=MEASURES, progress=False).summary["settings"] != result.summary["settings"]
    )


def test_task_lists() -> None:
    pytest.importorskip("mteb", reason=REASON)
    from isoglot.evaluation.mteb_tasks import get_tasks, make_task

    tasks = {task.metadata.name: task for task in get_tasks()}
    assert {name: len(task.hf_subsets) for name, task in tasks.items()} == {
        "XQuADRMonolingual": 11,
        "XQuADRCrosslingual": 110,
        "XQuADRMultilingual": 11,
        "MLQARMonolingual": 7,
        "MLQARCrosslingual": 42,
        "MLQARMultilingual": 7,
    }
    assert tasks["XQuADRCrosslingual"].metadata.eval_langs["en-zh"] == ["eng-Latn", "zho-Hans"]
    assert tasks["MLQARMonolingual"].metadata.revision == MLQA_COMMIT
    for task in tasks.values():
        task.metadata._validate_metadata()
    assert [task.metadata.name for task in get_tasks(["mlqa-r"], languages=["eng"])] == [
        "MLQARMonolingual-en",
        "MLQARMultilingual-en",
    ]
    assert len(get_tasks(["faq"], languages=["en", "de"])) == 3
    with pytest.raises(InputError, match="mlqa-r has no language 'th'"):
        get_tasks(["mlqa-r"], languages=["th"])
    benchmark = toy()
    benchmark.gains[0] = 0.5
    with pytest.raises(InputError, match="fractional grades"):
        make_task(benchmark, "mono")


@pytest.mark.realdata
@pytest.mark.slow
def test_a_subset_of_mlqa_r() -> None:
    mteb = pytest.importorskip("mteb", reason=REASON)
    from isoglot.evaluation.mteb_tasks import get_tasks

    folder, languages = lareqa_dir("mlqa-r"), ["de", "es"]
    benchmark: Benchmark = load_benchmark("mlqa-r", data_dir=folder, languages=languages)
    # mteb strips documents; so that both sides see the same texts, so do we
    stripped = Embeddings(
        vectors([text for _, _, text in benchmark.pooled_queries()]),
        vectors([text.strip() for _, _, text in benchmark.pooled_documents()]),
    )
    tasks = get_tasks(["mlqa-r"], languages=languages, data_dir=folder)
    ran = mteb.evaluate(coarse_encoder(), tasks, cache=None, show_progress_bar=False)
    assert assert_agrees(ran, evaluate(stripped, benchmark, measures=MEASURES)) == 2 + 2 + 2


def test_without_mteb() -> None:
    code = (
        "import sys; sys.modules['mteb'] = None\n"
        "from isoglot.errors import InputError\n"
        "try:\n    import isoglot.evaluation.mteb_tasks\n"
        "except InputError as error:\n    print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'isoglot[mteb]'" in found.stdout
