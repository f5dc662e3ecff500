"""What a worker does: load the model once, then encode one shard after the other, on one thread, into files.

One thread, whatever the machine has: with several a sum may be taken in another order, and the last bits of a vector depend on
how many there were. So a shard is the same bytes whichever worker makes it (of one kind of processor, versions and device).
"""

from __future__ import annotations

import io
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from isoglot.errors import InputError, IsoglotError, first_line
from isoglot.files import digest_json
from isoglot.models.content import base_digest, base_revision
from isoglot.models.precision import Precision, computing_in
from isoglot.retrieval.encode import DEFAULT_BATCH_SIZE, Kind, device_of, encode_texts, prompt_of, similarity_of
from isoglot.retrieval.encoded import find_shard, ids_table, write_shard
from isoglot.retrieval.store import SHARD_SIZE, model_settings
from isoglot.retrieval.text_shards import TextShard
from isoglot.settings import Settings

FORMAT = 1
"""Of the files, and of the keys in their names."""


class EncodeSettings(Settings):
    """What decides the vectors of texts, besides the model."""

    kind: Kind = Field("passage", description="query or passage: which of the model's prompts stands before the texts")
    dtype: Literal["float16", "float32"] = Field("float16", description="of the numbers that are kept")
    shard_size: int = Field(
        SHARD_SIZE, ge=1, le=1 << 24, description="texts that are encoded together, at most; one file"
    )
    precision: Precision = Field(
        "fp32",
        description="of the products; bf16 is faster on GPUs and CPUs that have it, and moves vectors by about .4%",
    )
    batch_size: int = Field(
        DEFAULT_BATCH_SIZE,
        ge=1,
        le=1 << 20,
        description="texts per forward pass; fewer of long texts, more of short ones",
    )


@dataclass(frozen=True)
class ModelSpec:
    """A model as every worker loads it.

    Attributes:
        name: as `load_model` takes it.
        prompt: instead of the model's own for the kind of texts.
        similarity: "cosine" or "dot" instead of the model's own.
    """

    name: str
    prompt: str | None = None
    similarity: str | None = None

    def load(self, kind: Kind, device: str | None) -> Any:
        """The model. InputError as `load_model` says."""
        from isoglot.models.load import load_model

        prompts = {f"{kind}_prompt": self.prompt}
        return load_model(self.name, similarity=self.similarity, device=device, **prompts)  # type: ignore[arg-type]

    def identity(self, model: Any, settings: EncodeSettings) -> dict[str, Any]:
        """All that decides a vector besides its text: of the loaded model, and the settings."""
        revision = base_revision(self.name)
        return {
            "model": {"digest": base_digest(self.name), **({"revision": revision} if revision else {})},
            "modules": model_settings(model),
            "similarity": similarity_of(model),
            "prompt": prompt_of(model, settings.kind),
            **{name: getattr(settings, name) for name in ("kind", "dtype", "precision", "batch_size")},
        }


@dataclass(frozen=True)
class ShardWork:
    """What workers are told before their first shard.

    Attributes:
        model: to load.
        identity: digest of what `ModelSpec.identity` must give there.
        settings: of all shards.
        output: where files go, absolute.
        tokenizer_threads: of a worker; no vector depends on it.
    """

    model: ModelSpec
    identity: str
    settings: EncodeSettings
    output: Path
    tokenizer_threads: int = 1

    def key(self, shard: TextShard) -> str:
        """Digest of all that decides the vectors of a shard."""
        return digest_json({"format": FORMAT, "identity": self.identity, "texts": shard.digest})


class ShardEncoder:
    """A worker's model and what it does with it.

    Args:
        work: what it was told.
        device: where the model goes; None: the best there is.
        model: that is loaded already, and of which `identity` was taken.
    """

    def __init__(self, work: ShardWork, device: str | None = None, model: Any = None) -> None:
        self._work, self._device, self._model = work, device, model

    def encode(self, shard: TextShard, watch: Callable[[int], Any] = lambda _: None) -> None:
        """Encode a shard into its files, unless another worker did so meanwhile.

        Args:
            watch: called with the number of texts that were encoded, again and again.

        Raises:
            InputError: the model is not the one that was asked for; texts that are not there, or not those that were cut; numbers
                that are not finite in the type that they are kept in; a full disk.
        """
        work, settings, key = self._work, self._work.settings, self._work.key(shard)
        if find_shard(work.output, shard, key, settings.dtype, verify=True):
            return
        texts = shard.read()
        model = self._loaded()
        with one_thread(), computing_in(settings.precision, device_of(model)):
            vectors = encode_texts(
                model,
                texts.texts,
                settings.kind,
                settings.batch_size,
                watch=watch,
                languages=texts.languages if any(texts.languages) else None,
                alone=True,
            )
        with np.errstate(over="ignore"):
            kept = vectors.astype(settings.dtype)
        if not np.isfinite(kept).all():
            row = int(np.argmin(np.isfinite(kept).all(axis=1)))
            raise InputError(f"the vector of '{texts.ids[row]}' is too long for {settings.dtype}; give --dtype float32")
        write_shard(work.output, shard, key, kept, ids_table(texts.ids, texts.languages), facts_of(model))

    def _loaded(self) -> Any:
        if self._model is None:
            os.environ["RAYON_NUM_THREADS"] = str(self._work.tokenizer_threads)  # read when the first text is tokenised
            os.environ["TOKENIZERS_PARALLELISM"] = "true" if self._work.tokenizer_threads > 1 else "false"
            spec, settings = self._work.model, self._work.settings
            with redirect_stderr(
                io.StringIO()
            ):  # what is said of a model was said by the process that started this one
                model = spec.load(settings.kind, self._device)
            if digest_json(spec.identity(model, settings)) != self._work.identity:
                raise InputError(
                    f"{spec.name}: a worker finds another model under this name than the process that started it "
                    "(files, revision, or the version of a library); make them the same"
                )
            self._model = model
        return self._model


def facts_of(model: Any) -> dict[str, Any]:
    """What may differ between workers though the model is one: where its weights lie, and as which numbers."""
    weights = next(iter(model.parameters()), None) if hasattr(model, "parameters") else None
    return {"device": device_of(model), "weights": str(getattr(weights, "dtype", "float32")).removeprefix("torch.")}


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes on one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Answer:
    """How a shard went, as it travels between processes.

    Attributes:
        texts: that it has.
        problem: one line; "" where it is done.
        is_input: whether the problem is one of the user's input.
    """

    texts: int
    problem: str = ""
    is_input: bool = False

    def check(self) -> int:
        """The number of texts. IsoglotError, or InputError, with the problem."""
        if self.problem:
            raise (InputError if self.is_input else IsoglotError)(self.problem)
        return self.texts


def attempt(encoder: ShardEncoder, shard: TextShard) -> Answer:
    """Encode a shard; whatever goes wrong becomes an answer, which every channel can carry."""
    try:
        encoder.encode(shard)
    except IsoglotError as error:
        return Answer(0, str(error), isinstance(error, InputError))
    except Exception as error:  # no fault of the input: the traceback is for whoever looks for it
        traceback.print_exc()
        return Answer(0, f"a worker failed with {type(error).__name__}: {first_line(error)}")
    return Answer(shard.end - shard.start)
