"""The end of a run: the trained model on the disk, and what came out of it. Imports torch, so load it late."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from isoglot.batching.sampler import PlanDataset
from isoglot.data.audit.exposures import known_of
from isoglot.data.audit.trained import TrainedTexts, trained_of
from isoglot.files import atomic_directory, digest_json
from isoglot.models.card import Trained, write_card
from isoglot.models.resolve import hub_id, resolve_base
from isoglot.models.tokenizer import forget_last_call
from isoglot.processes import peak_memory
from isoglot.training import agreement
from isoglot.training.data import TrainingData
from isoglot.training.prepare import load_again
from isoglot.training.rundir import RunDirectory
from isoglot.training.settings import TrainSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def _trained_texts(settings: TrainSettings, data: TrainingData, steps: int, model: SentenceTransformer) -> TrainedTexts:
    """The texts of the run, and those that its base is known to have seen."""
    dataset = PlanDataset(data.table, data.plan, steps, negatives=settings.negatives)
    queries, passages = dataset.used_rows()
    return TrainedTexts.of(data.table, queries, passages, dataset.candidate_texts(passages)) | trained_of(model)


def _about(
    settings: TrainSettings, data: TrainingData, steps: int, bases: tuple[str, ...], length: float | None
) -> Trained:
    """What the card says."""
    published = resolve_base(settings.base).published_name
    return Trained(
        base=settings.base,
        hub_base=hub_id(published) if published else "",
        tuning=settings.tuning.title,
        strategy=settings.plan.strategy.label,
        batch_size=settings.plan.batch_size,
        steps=steps,
        sources=settings.pairs,
        pairs=data.table.index.n_pairs,
        languages=data.table.languages,
        max_length=int(length) if length and isfinite(length) else None,
        known=known_of(bases),
        average=settings.average,
    )


def end(
    settings: TrainSettings,
    run: RunDirectory,
    trainer: Any,
    model: SentenceTransformer,
    data: TrainingData,
    tokens: int,
    took: dict[str, Any],
) -> dict[str, Any]:
    """Write adapter/ (where the tuning has one), the self-contained model/ and the outcome; each appears whole.

    Args:
        took: what the outcome says of time and of memory on a GPU.
    """
    if settings.average < 1:
        settings.tuning.average(model, settings.average, lambda: load_again(settings))
    final = settings.tuning.finish(model, settings.base, lambda: load_again(settings), run.adapter)
    final.prompts, final.similarity_fn_name = dict(model.prompts), model.similarity_fn_name
    texts = _trained_texts(settings, data, trainer.state.global_step, model)
    if run.adapter.is_dir():
        texts.save(run.adapter)
    with atomic_directory(run.model) as path:
        for module in final.modules():
            forget_last_call(getattr(module, "tokenizer", None))
        final.save_pretrained(str(path), create_model_card=False)
        del final  # its place in memory is for what was saved
        texts.save(path)
        about = _about(settings, data, trainer.state.global_step, texts.bases, model.max_seq_length)
        write_card(path / "README.md", about, model.prompts)
        agreement.check_saved(model, path, agreement.sample_texts(data.table))
    lines = [json.loads(text) for text in run.log.read_text(encoding="utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    validations = [line["validation_loss"] for line in lines if "validation_loss" in line]
    memory = {key: value for key, value in took.items() if key == "peak_allocated_bytes"}
    memory["peak_memory_bytes"] = peak_memory()
    outcome = {
        "steps": trainer.state.global_step,
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        "mean_loss_of_last_tenth": _mean(losses[-max(1, len(losses) // 10) :]),
        **took,
        "pairs_per_second": _mean([line["pairs_per_second"] for line in lines if "pairs_per_second" in line][1:]),
        "tokens": tokens,
        # of all processes that trained it: a resumed one may do little of the work
        **{key: max([most, *(line.get(key, 0) for line in lines)]) for key, most in memory.items()},
        "device": str(model.device),
        "loss_digest": digest_json(losses),
        **({"best_validation_loss": min(validations)} if validations else {}),
    }
    run.end(outcome)
    return outcome


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None
