"""isoglot: train, measure and serve multilingual dense retrievers that treat every language alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.errors import InputError
    from isoglot.evaluation.compare import compare
    from isoglot.evaluation.comparison import Comparison
    from isoglot.evaluation.debias import DebiasSettings, debias
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.evaluation.external import load_embeddings
    from isoglot.evaluation.matching import load_systems
    from isoglot.evaluation.results import Result, load_result
    from isoglot.evaluation.settings import EvaluateSettings
    from isoglot.evaluation.training_evaluator import MultilingualRetrievalEvaluator
    from isoglot.models.load import load_model
    from isoglot.models.tunings.full import Full
    from isoglot.models.tunings.lora import Lora
    from isoglot.records import Benchmark
    from isoglot.repairing.repair import repair
    from isoglot.repairing.settings import RepairSettings
    from isoglot.retrieval.bm25 import BM25
    from isoglot.retrieval.collection.build import index
    from isoglot.retrieval.collection.collection import Collection
    from isoglot.retrieval.collection.searcher import Searcher
    from isoglot.retrieval.collection.settings import CollectionSettings
    from isoglot.retrieval.encode_engines import Workers
    from isoglot.retrieval.encoded import EncodedTexts
    from isoglot.retrieval.shard_encoder import EncodeSettings
    from isoglot.retrieval.sharded_encoding import encode_shards
    from isoglot.retrieval.store import EmbeddingStore
    from isoglot.retrieval.text_shards import cut_files
    from isoglot.study.grid import RunOptions, run_study
    from isoglot.study.outcome import StudyOutcome, load_study
    from isoglot.study.read_spec import load_spec
    from isoglot.study.spec import StudySpec
    from isoglot.training.settings import TrainSettings
    from isoglot.training.train import TrainResult, train

_MODULES = {
    "load_model": "isoglot.models.load",
    "load_pairs": "isoglot.data.pairs.loading",
    "load_benchmark": "isoglot.data.benchmarks.load",
    "Benchmark": "isoglot.records",
    "load_embeddings": "isoglot.evaluation.external",
    "evaluate": "isoglot.evaluation.evaluate",
    "EvaluateSettings": "isoglot.evaluation.settings",
    "Result": "isoglot.evaluation.results",
    "load_result": "isoglot.evaluation.results",
    "load_systems": "isoglot.evaluation.matching",
    "compare": "isoglot.evaluation.compare",
    "Comparison": "isoglot.evaluation.comparison",
    "BM25": "isoglot.retrieval.bm25",
    "index": "isoglot.retrieval.collection.build",
    "CollectionSettings": "isoglot.retrieval.collection.settings",
    "Collection": "isoglot.retrieval.collection.collection",
    "Searcher": "isoglot.retrieval.collection.searcher",
    "cut_files": "isoglot.retrieval.text_shards",
    "encode_shards": "isoglot.retrieval.sharded_encoding",
    "EncodeSettings": "isoglot.retrieval.shard_encoder",
    "Workers": "isoglot.retrieval.encode_engines",
    "EncodedTexts": "isoglot.retrieval.encoded",
    "EmbeddingStore": "isoglot.retrieval.store",
    "debias": "isoglot.evaluation.debias",
    "DebiasSettings": "isoglot.evaluation.debias",
    "MultilingualRetrievalEvaluator": "isoglot.evaluation.training_evaluator",
    "BatchPlan": "isoglot.batching.plan",
    "PlanSettings": "isoglot.batching.plan",
    "TrainSettings": "isoglot.training.settings",
    "Lora": "isoglot.models.tunings.lora",
    "Full": "isoglot.models.tunings.full",
    "train": "isoglot.training.train",
    "TrainResult": "isoglot.training.train",
    "repair": "isoglot.repairing.repair",
    "RepairSettings": "isoglot.repairing.settings",
    "load_spec": "isoglot.study.read_spec",
    "StudySpec": "isoglot.study.spec",
    "run_study": "isoglot.study.grid",
    "RunOptions": "isoglot.study.grid",
    "StudyOutcome": "isoglot.study.outcome",
    "load_study": "isoglot.study.outcome",
    "InputError": "isoglot.errors",
}

__all__ = [
    "BM25",
    "BatchPlan",
    "Benchmark",
    "Collection",
    "CollectionSettings",
    "Comparison",
    "DebiasSettings",
    "EmbeddingStore",
    "EncodeSettings",
    "EncodedTexts",
    "EvaluateSettings",
    "Full",
    "InputError",
    "Lora",
    "MultilingualRetrievalEvaluator",
    "PlanSettings",
    "RepairSettings",
    "Result",
    "RunOptions",
    "Searcher",
    "StudyOutcome",
    "StudySpec",
    "TrainResult",
    "TrainSettings",
    "Workers",
    "compare",
    "cut_files",
    "debias",
    "encode_shards",
    "evaluate",
    "index",
    "load_benchmark",
    "load_embeddings",
    "load_model",
    "load_pairs",
    "load_result",
    "load_spec",
    "load_study",
    "load_systems",
    "repair",
    "run_study",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that `import isoglot` stays free of torch."""
    if name not in _MODULES:
        raise AttributeError(f"module 'isoglot' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """The public names, those not imported yet too."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
