"""isoglot: train, measure and serve multilingual dense retrievers that treat every language alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.data.pairs.table import load_pairs
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.evaluation.external import load_embeddings
    from isoglot.evaluation.training_evaluator import MultilingualRetrievalEvaluator
    from isoglot.models.load import load_model
    from isoglot.retrieval.bm25 import BM25
    from isoglot.training.train import train

__all__ = [
    "BM25",
    "MultilingualRetrievalEvaluator",
    "evaluate",
    "load_benchmark",
    "load_embeddings",
    "load_model",
    "load_pairs",
    "train",
]

_HOMES = {
    "BM25": "isoglot.retrieval.bm25",
    "MultilingualRetrievalEvaluator": "isoglot.evaluation.training_evaluator",
    "load_embeddings": "isoglot.evaluation.external",
    "evaluate": "isoglot.evaluation.evaluate",
    "load_benchmark": "isoglot.data.benchmarks.load",
    "load_model": "isoglot.models.load",
    "load_pairs": "isoglot.data.pairs.table",
    "train": "isoglot.training.train",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that `import isoglot` stays free of torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'isoglot' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
