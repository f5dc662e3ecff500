"""The evaluator for training: its figures, its names, and that it remembers no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.results import load_result
from isoglot.records import Texts
from tests.evaluation.exports import toy, vectors
from tests.training.tiny import tiny_base


class Fixed:
    """Fixed vectors per text, other ones per seed, and a count of the texts encoded."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.encoded = 0

    def encode_query(self, texts: list[str], **_: Any) -> np.ndarray:
        self.encoded += len(texts)
        return vectors(texts, self.seed)

    encode_document = encode_query


def test_figures_are_those_of_evaluate() -> None:
    from isoglot.evaluation.training_evaluator import MultilingualRetrievalEvaluator

    benchmark = toy()
    evaluator = MultilingualRetrievalEvaluator(benchmark, measures=["nDCG@10", "mAP"])
    model = Fixed(0)
    figures = evaluator(model)
    summary = evaluate(Fixed(0), benchmark, measures=["nDCG@10", "AP"], progress=False).summary
    assert figures == {
        **{f"toy_{s}_{name}": value for s, scores in summary["settings"].items() for name, value in scores.items()},
        "toy_rank_distance": summary["bias"]["rank_distance"],
    }
    assert evaluator.primary_metric == "toy_multi_nDCG@10"
    assert evaluator.greater_is_better
    distinct = {text for _, _, text in [*benchmark.pooled_queries(), *benchmark.pooled_documents()]}
    assert model.encoded == len(distinct), "every text is encoded once for all twelve cells"


def test_nothing_is_kept_from_the_first_model() -> None:
    from isoglot.evaluation.training_evaluator import MultilingualRetrievalEvaluator

    evaluator = MultilingualRetrievalEvaluator(toy(), primary="rank_distance", name="dev")
    before = dict(vars(evaluator))
    first = evaluator(Fixed(0), epoch=1.0, steps=10)
    second = evaluator(Fixed(1))
    assert vars(evaluator) == before
    assert first != second
    assert evaluator(Fixed(0)) == first
    assert evaluator(Fixed(1)) == MultilingualRetrievalEvaluator(toy(), name="dev")(Fixed(1))
    assert (evaluator.primary_metric, evaluator.greater_is_better) == ("dev_rank_distance", False)


def test_bad_settings() -> None:
    from isoglot.evaluation.training_evaluator import MultilingualRetrievalEvaluator

    with pytest.raises(InputError, match="primary figure 'multi_AP' is not measured; expected one of mono_nDCG@10"):
        MultilingualRetrievalEvaluator(toy(), primary="multi_AP")
    with pytest.raises(InputError, match="unknown setting"):
        MultilingualRetrievalEvaluator(toy(), settings=["pooled"])
    alone = MultilingualRetrievalEvaluator(toy(), languages=["de"], primary="cross_nDCG@10")
    with pytest.raises(InputError, match="toy_cross_nDCG@10 could not be measured: setting 'cross' was left out"):
        alone(Fixed(0))


def test_in_a_trainer(tmp_path: Path) -> None:
    """The trainer calls it, chooses the best checkpoint by it, and the results of every step are kept."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from isoglot.evaluation.training_evaluator import MultilingualRetrievalEvaluator

    model = SentenceTransformer(str(tiny_base(tmp_path / "base")), device="cpu")
    texts = {lang: Texts([str(i) for i in range(30)], [f"{lang}{i}" for i in range(30)]) for lang in ("de", "en")}
    pairs = np.array([(q, d) for q in range(60) for d in (q % 30, q % 30 + 30)])
    words = make_benchmark("words", texts, texts, Judgments(pairs[:, 0], pairs[:, 1], np.ones(len(pairs))))
    evaluator = MultilingualRetrievalEvaluator(words, write=True)
    rows = {"anchor": [f"de{i}" for i in range(16)], "positive": [f"en{i}" for i in range(16)]}
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        learning_rate=1e-2,
        per_device_train_batch_size=8,
        eval_strategy="steps",
        eval_steps=1,
        save_steps=1,
        save_strategy="steps",
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{evaluator.primary_metric}",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        loss=MultipleNegativesRankingLoss(model),
        evaluator=evaluator,
    )
    trainer.train()
    logged = [line for line in trainer.state.log_history if "eval_words_multi_nDCG@10" in line]
    assert [line["step"] for line in logged] == [1, 2]
    assert {"eval_words_mono_nDCG@10", "eval_words_cross_nDCG@10", "eval_words_rank_distance"} <= set(logged[0])
    assert trainer.state.best_metric == max(line["eval_words_multi_nDCG@10"] for line in logged)
    (kept,) = tmp_path.glob("out/**/words_step-2")
    result = load_result(kept)
    assert result.summary["settings"]["multi"]["nDCG@10"] == logged[1]["eval_words_multi_nDCG@10"]
    assert len(result.summary["digests"]["model"]) == 64
    assert logged[0]["eval_words_cross_nDCG@10"] != logged[1]["eval_words_cross_nDCG@10"]
    model.save_pretrained(str(tmp_path / "saved"))
    assert "Multilingual Retrieval" in (tmp_path / "saved" / "README.md").read_text()
