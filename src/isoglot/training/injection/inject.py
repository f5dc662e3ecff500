"""From a lexicon to a model with its words injected: the whole path on one page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.data.lexicons.word_pairs import WordPairs, read_word_pairs, split
from isoglot.errors import InputError, say
from isoglot.files import atomic_directory, digest_json, package_versions, write_json
from isoglot.models.content import content_of
from isoglot.retrieval.probe import OUTPUT, PairScores, choose_layer, score_layers
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
    model = load_model(base, dtype="float32", trainable=True)
    about = {**describe(model), "name": base, **content_of(base)}
    if note := pooling_note(model):
        say(f"{base}: {note}")
    trained = [part for part, _ in groups]
    count = _count_layers(model, asked)
    before = _scores(model, groups, asked, show)
    layer = _chosen_layer([scores for (_, words), scores in before.items() if words == "trained"], count, asked)
    tuning = asked.lora.model_copy(update={"layers": tuple(range(layer))})
    tuning.prepare(model)
    say(_which(count, layer))
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
        "effects": effects(_at(before, layer), _at(_scores(model, groups, asked, show), layer)),
    }
    record = {"asked": {**asked.to_flat(), "base": base}, "base": about, "versions": package_versions(_VERSIONS)}
    with atomic_directory(output) as folder:
        _save(model, tuning, base, folder, groups)
        write_json(folder / "run.json", {**record, "losses": losses, "outcome": outcome})
    return outcome


def _count_layers(model: SentenceTransformer, asked: InjectSettings) -> int:
    """How many layers can be trained. InputError where the one that is asked for is none of them."""
    from isoglot.models.hidden import blocks_of, count_blocks, layered_module

    encoder = layered_module(model).model
    count = count_blocks(encoder)
    blocks_of(encoder)
    if asked.layer != AUTO and int(asked.layer) > count:
        raise InputError(f"layer {asked.layer}: this encoder has layers 1 to {count}")
    return count


def _chosen_layer(trained: Sequence[Mapping[str, PairScores]], count: int, asked: InjectSettings) -> int:
    """The layer that is trained; `trained`: the figures of the words of every pair of languages at all layers."""
    if asked.layer != AUTO:
        return int(asked.layer)
    lower = [str(number) for number in range(1, max(2, count // 2 + 1))]
    layer = int(choose_layer(trained, asked.criterion, lower))
    say(f"layer {layer} of {count}: the best of 1 to {lower[-1]} by {asked.criterion} on the words that are trained")
    return layer


def _scores(
    model: SentenceTransformer, groups: Sequence[tuple[WordPairs, WordPairs]], asked: InjectSettings, show: bool
) -> Scores:
    """Of all words, at all layers and at the output."""
    return {
        (part.name, words): score_layers(model, part, asked.prompt, show=show)
        for words, parts in zip(("trained", "control"), zip(*groups))
        for part in parts
    }


def _at(scores: Scores, layer: int) -> Scores:
    """Those at one layer, by its name in the outcome, and at the output."""
    return {key: {f"layer {layer}": of_layer[str(layer)], OUTPUT: of_layer[OUTPUT]} for key, of_layer in scores.items()}


def _which(count: int, layer: int) -> str:
    """Which of `count` blocks are trained, in words."""
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
    from isoglot.tables import code_span
    from isoglot.training.agreement import check_saved

    final = tuning.finish(model, base, lambda: load_model(base, dtype="float32"), folder / "adapter")
    final.prompts, path = dict(model.prompts), folder / "model"
    final.save_pretrained(str(path), create_model_card=False)
    trained_of(model).save(path)  # words alone are no texts of a benchmark
    names = ", ".join(f"{len(part):,} of {code_span(part.name)}" for part, _ in groups)
    how = f"{code_span(base)} with pairs of words injected at an early layer by LoRA (arXiv 2506.15415): {names}."
    write_card_of(path / "README.md", how, model.prompts, made="trained")
    first = groups[0][0]
    check_saved(model, path, TextBatch(0, list(first.words[:4]), list(first.translations[:4]), []))
