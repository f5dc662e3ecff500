"""From a lexicon to a model with its words injected: the whole path on one page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.data.lexicons.word_pairs import WordPairs, read_word_pairs, split
from isoglot.errors import InputError, say
from isoglot.files import atomic_directory, digest_json, package_versions, write_json
from isoglot.models.content import content_of
from isoglot.retrieval.probe import OUTPUT, choose_layer, score_layers
from isoglot.training.injection.effect import Scores, effects
from isoglot.training.injection.settings import AUTO, InjectSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from isoglot.models.tunings import Tuning

_VERSIONS = ("isoglot", "torch", "transformers", "sentence-transformers", "peft", "numpy", "scipy")


def inject(base: str, asked: InjectSettings, output: Path, *, show: bool = True) -> dict[str, Any]:
    """Train a layer of a model on word pairs, and write `model/`, `adapter/` and `run.json` into a directory that appears whole.

    It takes seconds to minutes and is not resumed: after an interruption nothing is there, and the same command begins again.

    Args:
        base: as `load_model` takes it.
        output: replaced where it exists.
        show: progress bars on stderr.

    Returns:
        The outcome as `run.json` has it: layer, losses, and what changed for each group of words (see `effects`).

    Raises:
        InputError: lexicons, a model or a layer that cannot be used.
        NotFiniteError: the training has gone astray.
        OtherModelError: the saved model is not the one that was trained.
    """
    import torch
    from transformers import set_seed

    from isoglot.models.facts import describe
    from isoglot.models.hidden import pooling_note
    from isoglot.models.load import load_model
    from isoglot.training.injection.steps import train_layer

    if asked.threads:
        torch.set_num_threads(asked.threads)
    groups = split(read_word_pairs(asked.lexicon, copies=asked.copies), asked.pairs, asked.control_pairs, asked.seed)
    set_seed(asked.seed)  # the adapters' first values, and dropout
    model = load_model(base, dtype="float32")
    about = {**describe(model), "name": base, **content_of(base)}
    if note := pooling_note(model):
        say(f"{base}: {note}")
    trained = [part for part, _ in groups]
    layer, before = _layer_and_scores(model, groups, asked, show)
    tuning = asked.lora.model_copy(update={"layers": tuple(range(layer))})
    tuning.prepare(model)
    say(_which(model, layer))
    began = time.perf_counter()
    losses = train_layer(model, trained, layer, asked, show=show)
    seconds = time.perf_counter() - began
    outcome = {
        "layer": layer,
        "steps": len(losses),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "seconds": round(seconds, 2),
        "trainable_parameters": sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
        "loss_digest": digest_json(losses),
        "effects": effects(before, _scores(model, groups, asked, layer, show)),
    }
    record = {"asked": {**asked.to_flat(), "base": base}, "base": about, "versions": package_versions(_VERSIONS)}
    with atomic_directory(output) as folder:
        _save(model, tuning, base, folder, groups)
        write_json(folder / "run.json", {**record, "losses": losses, "outcome": outcome})
    return outcome


def _layer_and_scores(
    model: SentenceTransformer, groups: Sequence[tuple[WordPairs, WordPairs]], asked: InjectSettings, show: bool
) -> tuple[int, Scores]:
    """(the layer that is trained, the figures of all words there and at the output)."""
    from isoglot.models.hidden import blocks_of, count_blocks, layered_module

    encoder = layered_module(model).model
    count = count_blocks(encoder)
    blocks_of(encoder)
    if asked.layer != AUTO:
        layer = int(asked.layer)
        if layer > count:
            raise InputError(f"layer {layer}: this encoder has layers 1 to {count}")
        return layer, _scores(model, groups, asked, layer, show)
    scores = [score_layers(model, part, asked.prompt, show=show) for part, _ in groups]
    lower = [str(number) for number in range(1, max(2, count // 2 + 1))]
    layer = int(choose_layer(scores, asked.criterion, lower))
    say(f"layer {layer} of {count}: the best of 1 to {lower[-1]} by {asked.criterion} on the words that are trained")
    before = {(part.name, "trained"): _kept(one, layer) for (part, _), one in zip(groups, scores)}
    before |= {
        (part.name, "control"): _kept(score_layers(model, part, asked.prompt, show=show), layer) for _, part in groups
    }
    return layer, before


def _scores(
    model: SentenceTransformer,
    groups: Sequence[tuple[WordPairs, WordPairs]],
    asked: InjectSettings,
    layer: int,
    show: bool,
) -> Scores:
    return {
        (part.name, words): _kept(score_layers(model, part, asked.prompt, show=show), layer)
        for words, parts in zip(("trained", "control"), zip(*groups))
        for part in parts
    }


def _kept(scores: dict[str, Any], layer: int) -> dict[str, Any]:
    return {f"layer {layer}": scores[str(layer)], OUTPUT: scores[OUTPUT]}


def _which(model: SentenceTransformer, layer: int) -> str:
    """Which blocks are trained, in words."""
    from isoglot.models.hidden import count_blocks, layered_module

    count = count_blocks(layered_module(model).model)
    blocks = "block 0" if layer == 1 else f"blocks 0 to {layer - 1}"
    above = (
        f"; {layer} to {count - 1} are above it and would get no gradient, so they have none" if layer < count else ""
    )
    return f"layer {layer} is made by {blocks} of the encoder, which get adapters{above}"


def _save(
    model: SentenceTransformer, tuning: Tuning, base: str, folder: Path, groups: Sequence[tuple[WordPairs, WordPairs]]
) -> None:
    """Write adapter/ and the self-contained model/, which is held to the one in memory."""
    from isoglot.batching.sampler import TextBatch
    from isoglot.data.audit.trained import trained_of
    from isoglot.models.card import write_card_of
    from isoglot.models.load import load_model
    from isoglot.training.agreement import check_saved

    final = tuning.finish(model, base, lambda: load_model(base, dtype="float32"), folder / "adapter")
    final.prompts, path = dict(model.prompts), folder / "model"
    final.save_pretrained(str(path), create_model_card=False)
    trained_of(model).save(path)  # words alone are no texts of a benchmark
    names = ", ".join(f"{len(part):,} of {part.name}" for part, _ in groups)
    how = f"`{base}` with pairs of words injected at an early layer by LoRA (arXiv 2506.15415): {names}."
    write_card_of(path / "README.md", how, model.prompts, made="trained")
    first = groups[0][0]
    check_saved(model, path, TextBatch(0, list(first.words[:4]), list(first.translations[:4]), []))
