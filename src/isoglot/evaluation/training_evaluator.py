"""A sentence-transformers evaluator: mono-, cross- and multilingual retrieval while a model trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from isoglot.errors import InputError
from isoglot.evaluation.cells import parse_settings
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.measures import parse_measures
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.records import Benchmark


class MultilingualRetrievalEvaluator(BaseEvaluator):
    """Measures a model on a benchmark, as `isoglot evaluate` does; every language is encoded once.

        evaluator = MultilingualRetrievalEvaluator("faq")
        SentenceTransformerTrainer(..., evaluator=evaluator)

    Figures are called `<name>_<setting>_<measure>`, such as `xquad-r_multi_nDCG@10`, and `<name>_rank_distance`; the trainer
    puts `eval_` before them. For `load_best_model_at_end` give `metric_for_best_model=f"eval_{evaluator.primary_metric}"`.
    Settings that the benchmark cannot measure have no figures. Nothing is kept from one call to the next, so that one
    object serves any number of models.

    Args:
        benchmark: a name or folder (see `isoglot.load_benchmark`), or a `Benchmark`; read once, here.
        measures: spellings such as nDCG@10.
        primary: which figure chooses the best checkpoint, `<setting>_<measure>` or `rank_distance` (lower is better, and
            `greater_is_better` says so); the last setting with the first measure when None.
        name: what figures begin with; the benchmark's name when None.
        batch_size: texts per forward pass.
        write: keep `summary.json` and `per_query.parquet` of every call under the trainer's output path.
        data_dir: passed to `load_benchmark`.
        asked: further fields of `EvaluateSettings`, such as languages or settings.

    Raises:
        InputError: an unknown benchmark, language, setting or measure; a primary figure that is not measured.
    """

    def __init__(
        self,
        benchmark: str | Path | Benchmark,
        *,
        measures: str | Sequence[str] = ("nDCG@10",),
        primary: str | None = None,
        name: str | None = None,
        batch_size: int = 32,
        write: bool = False,
        data_dir: str | Path | None = None,
        progress: bool = False,
        **asked: Any,
    ) -> None:
        super().__init__()
        self._asked = EvaluateSettings.of(measures=measures, batch_size=batch_size, **asked)
        settings = parse_settings(self._asked.settings)
        spelled = list(map(str, parse_measures(self._asked.measures)))
        figures = [f"{setting}_{measure}" for setting in settings for measure in spelled]
        figures += [RANK_DISTANCE] if "multi" in settings else []
        primary = primary or f"{settings[-1]}_{spelled[0]}"
        if primary not in figures:
            raise InputError(f"primary figure '{primary}' is not measured; expected one of {', '.join(figures)}")
        self.benchmark = self._asked.load(benchmark, data_dir)
        self.name = name or Path(self.benchmark.name).name
        self.primary_metric: str = f"{self.name}_{primary}"
        self.greater_is_better = primary != RANK_DISTANCE
        self._write, self._progress = write, progress

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """Measure `model` as it is now; the arguments are those that the trainer passes."""
        when = f"step-{steps}" if steps >= 0 else (f"epoch-{epoch:g}" if epoch >= 0 else "end")
        folder = Path(output_path) / f"{self.name}_{when}" if output_path and self._write else None
        result = evaluate(
            model,
            self.benchmark,
            self._asked,
            output=folder,
            progress=self._progress,
            # a digest reads all weights: only what is written needs one
            digest=None if folder else "not computed",
        )
        scores, bias = result.summary["settings"], result.summary["bias"]
        metrics = {f"{self.name}_{setting}_{key}": x for setting, own in scores.items() for key, x in own.items()}
        if bias:
            metrics[f"{self.name}_{RANK_DISTANCE}"] = bias[RANK_DISTANCE]
        if self.primary_metric not in metrics:
            raise InputError(f"{self.primary_metric} could not be measured: {'; '.join(result.summary['notes'])}")
        if hasattr(model, "model_card_data"):
            self.store_metrics_in_model_card_data(model, metrics, epoch, steps)
        return metrics

    @property
    def description(self) -> str:
        """The heading in a model card."""
        return "Multilingual Retrieval"

    def get_config_dict(self) -> dict[str, Any]:
        """What a model card says about the evaluation."""
        return {"languages": sorted({*self.benchmark.queries, *self.benchmark.corpus}), **self.benchmark.about}
