"""Model folders, adapters, what models say of their training, and texts that a vocabulary is cut to."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from isoglot.errors import InputError
from tests.malformed.kinds.shared import Kind, filled_lines, jsonl, pair_rows, refused, register, same, words_of

WORDS = ["question", "answer", "other", "de", "en", *map(str, range(10)), "?", ","]


@cache
def model_files() -> dict[str, bytes]:
    """A model of width 32 in sentence-transformers' layout."""
    from isoglot.models.load import load_model
    from tests.training.tiny import tiny_base

    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(io.StringIO()):
        home = Path(name)
        load_model(str(tiny_base(home / "base", WORDS)), device="cpu").save(str(home / "model"))
        return {
            path.relative_to(home).as_posix(): path.read_bytes()
            for path in sorted((home / "model").rglob("*"))
            if path.is_file() and path.suffix != ".md"
        }


def adapter_files() -> dict[str, bytes]:
    """A LoRA adapter of that model, which names it beside itself."""
    from safetensors.numpy import save

    settings = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "r": 2,
        "lora_alpha": 4,
        "target_modules": ["query"],
    }
    config = {**settings, "base_model_name_or_path": "../model", "bias": "none", "inference_mode": True}
    weights = {
        f"base_model.model.encoder.layer.{layer}.attention.self.query.lora_{side}.weight": np.full(
            shape, 0.01, np.float32
        )
        for layer in range(2)
        for side, shape in (("A", (2, 32)), ("B", (32, 2)))
    }
    files = {"adapter_config.json": json.dumps(config).encode(), "adapter_model.safetensors": save(weights)}
    return {f"adapter/{name}": data for name, data in files.items()}


def check_model(folder: Path, spoiled: Path) -> None:
    """What loads gives vectors of numbers."""
    from isoglot.models.load import load_model

    name = "adapter" if (folder / "adapter").is_dir() else "model"
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            vectors = load_model(str(folder / name), device="cpu").encode(["question 1", "answer"])
    except InputError as error:
        refused(words_of(error), None if str(folder) in str(error) else spoiled)
        return
    same("finite", True, bool(np.isfinite(vectors).all()))


def trained_files() -> dict[str, bytes]:
    from isoglot.data.audit.trained import FILE, Sample, TrainedTexts

    with tempfile.TemporaryDirectory() as name:
        hashes = np.arange(9, dtype=np.uint64)
        TrainedTexts({"query": Sample(hashes), "passage": Sample(hashes)}, ("org/base",)).save(Path(name))
        return {FILE: (Path(name) / FILE).read_bytes()}


def check_trained(folder: Path, spoiled: Path) -> None:
    from isoglot.data.audit.trained import read_trained

    try:
        if found := read_trained(folder):
            assert all(len(sample.hashes) == 9 for sample in found.sides.values())
    except InputError as error:
        refused(words_of(error), spoiled)


def check_texts(folder: Path, spoiled: Path) -> None:
    """Files of texts of any kind, as `isoglot model prune --corpus` reads them."""
    from isoglot.data.corpus import read_texts

    try:
        found = sum(1 for _ in read_texts(str(spoiled)))
    except InputError as error:
        refused(words_of(error), spoiled)
        return
    if spoiled.suffix == ".txt":
        same("texts", filled_lines(spoiled), found)


@register
def _models() -> Iterator[Kind]:
    model = model_files()
    yield Kind("model folder", model, check_model)
    yield Kind("adapter", {**model, **adapter_files()}, check_model, tuple(adapter_files()))
    yield Kind("training texts of a model", trained_files(), check_trained)
    lines = "".join(f"line {i}\n" for i in range(4)).encode()
    yield Kind("texts", {"t.txt": lines, "t.jsonl": jsonl(pair_rows())}, check_texts)
