"""isoglot: train, measure and serve multilingual dense retrievers that treat every language alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.evaluation.compare import compare
    from isoglot.evaluation.debias import DebiasSettings, debias
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.evaluation.external import load_embeddings
    from isoglot.evaluation.matching import load_systems
    from isoglot.evaluation.results import load_result
    from isoglot.evaluation.training_evaluator import MultilingualRetrievalEvaluator
    from isoglot.models.load import load_model
    from isoglot.models.tunings.full import Full
    from isoglot.models.tunings.lora import Lora
    from isoglot.repairing.repair import repair
    from isoglot.repairing.settings import RepairSettings
    from isoglot.retrieval.bm25 import BM25
    from isoglot.retrieval.collection.build import index
    from isoglot.retrieval.collection.collection import Collection
    from isoglot.retrieval.collection.searcher import Searcher
    from isoglot.retrieval.encode_engines import Workers
    from isoglot.retrieval.encoded import EncodedTexts
    from isoglot.retrieval.shard_encoder import EncodeSettings
    from isoglot.retrieval.sharded_encoding import encode_shards
    from isoglot.retrieval.text_shards import cut_files
    from isoglot.study.grid import RunOptions, run_study
    from isoglot.study.read_spec import load_spec
    from isoglot.training.settings import TrainSettings
    from isoglot.training.train import train

_MODULES = {
    "load_model": "isoglot.models.load",
    "load_pairs": "isoglot.data.pairs.loading",
    "load_benchmark": "isoglot.data.benchmarks.load",
    "load_embeddings": "isoglot.evaluation.external",
    "evaluate": "isoglot.evaluation.evaluate",
    "load_result": "isoglot.evaluation.results",
    "load_systems": "isoglot.evaluation.matching",
    "compare": "isoglot.evaluation.compare",
    "BM25": "isoglot.retrieval.bm25",
    "index": "isoglot.retrieval.collection.build",
    "Collection": "isoglot.retrieval.collection.collection",
    "Searcher": "isoglot.retrieval.collection.searcher",
    "cut_files": "isoglot.retrieval.text_shards",
    "encode_shards": "isoglot.retrieval.sharded_encoding",
    "EncodeSettings": "isoglot.retrieval.shard_encoder",
    "Workers": "isoglot.retrieval.encode_engines",
    "EncodedTexts": "isoglot.retrieval.encoded",
    "debias": "isoglot.evaluation.debias",
    "DebiasSettings": "isoglot.evaluation.debias",
    "MultilingualRetrievalEvaluator": "isoglot.evaluation.training_evaluator",
    "BatchPlan": "isoglot.batching.plan",
    "PlanSettings": "isoglot.batching.plan",
    "TrainSettings": "isoglot.training.settings",
    "Lora": "isoglot.models.tunings.lora",
    "Full": "isoglot.models.tunings.full",
    "train": "isoglot.training.train",
    "repair": "isoglot.repairing.repair",
    "RepairSettings": "isoglot.repairing.settings",
    "load_spec": "isoglot.study.read_spec",
    "run_study": "isoglot.study.grid",
    "RunOptions": "isoglot.study.grid",
}

__all__ = [
    "BM25",
    "BatchPlan",
    "Collection",
    "DebiasSettings",
    "EncodeSettings",
    "EncodedTexts",
    "Full",
    "Lora",
    "MultilingualRetrievalEvaluator",
    "PlanSettings",
    "RepairSettings",
    "RunOptions",
    "Searcher",
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
