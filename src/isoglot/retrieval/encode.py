"""Texts to vectors: every distinct text once, the model's own prompts, float32, of length 1 where similarity is the cosine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import numpy as np

from isoglot.bars import tqdm
from isoglot.errors import InputError, say
from isoglot.models.facts import SIMILARITIES
from isoglot.processes import Processes, in_each, processes
from isoglot.records import Benchmark, Float32Array, FloatArray
from isoglot.records import Kind as Kind
from isoglot.retrieval.scoring import Vectors

Prompt = Literal["query", "passage", "none"]
"""Which of a model's prompts stands before a word that is looked at alone."""
DEFAULT_BATCH_SIZE = 64
# texts handed to the model at once, in batches: enough for its own batching, few enough for the progress bar to move
_BATCHES_PER_CALL = 8
# texts that are tokenised at once
_WINDOW = 4096
_PROMPTS: dict[Kind, tuple[str, ...]] = {"query": ("query",), "passage": ("document", "passage", "corpus")}
LABELS: dict[Kind, str] = {"query": "encode queries", "passage": "encode passages"}
"""What progress bars say."""


@dataclass(frozen=True)
class Embeddings:
    """Vectors of a whole benchmark, in pooled order, instead of a model.

    Attributes:
        queries: shape (n_queries, d).
        documents: shape (n_documents, d); may be memory-mapped or a store's, and float16.
    """

    queries: Float32Array
    documents: Vectors


def encode_texts(
    model: Any,
    texts: Sequence[str],
    kind: Kind,
    batch_size: int | None = None,
    progress: bool = True,
    watch: Callable[[int], Any] | None = None,
    languages: Sequence[str] | None = None,
    alone: bool = False,
) -> Float32Array:
    """Embed texts.

    Each distinct text is encoded once, longest first, so that equal texts have the very same vector (and tie exactly)
    and a batch holds texts of about one length. A plain `SentenceTransformer` is given batches of texts with equally many
    tokens (`isoglot.retrieval.length_batches`), any other model lists of texts.

    Under several processes (`isoglot.processes`) each encodes a share of the texts, and all get all vectors.

    Args:
        model: a `SentenceTransformer`, or anything with its `encode_query` and `encode_document`. Prompts are the
            model's own: the one saved as "query" for queries; "document", "passage" or "corpus" for passages.
        texts: n texts.
        kind: which of the two methods (and prompts) to use.
        batch_size: texts per forward pass; 64 when None. A plain `SentenceTransformer` is given 64 times as many tokens at
            once, thus more of the short and fewer of the long texts.
        progress: show a progress bar on stderr.
        watch: called with the number of texts that were encoded, again and again, instead of the bar.
        languages: of the texts, n codes, for a model that treats languages apart (`isoglot.models.mapped`); any other is not
            told. Without them, and for languages that it was not made for, such a model tells them from its embeddings.
        alone: all of them here, whatever other processes do.

    Returns:
        float32, shape (n, d); every row of length 1 (rows of zeros stay) unless the model's similarity is the inner product.

    Raises:
        InputError: the model gave a number that is not finite, or is made for another similarity.
    """
    numbers: dict[tuple[str, str], int] = {}
    keys = zip(languages_for(model, texts, languages), texts)
    inverse = np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), dtype=np.int64, count=len(texts))
    distinct = list(numbers)
    if not distinct:
        raise InputError("no text to encode")
    order = np.argsort([-len(text) for _, text in distinct], kind="stable")
    me = Processes() if alone else processes()
    own = [distinct[i] for i in order[me.rank :: me.world]]  # every process gets texts of all lengths
    hidden = watch is not None or not (progress and me.first)
    with tqdm(total=len(own), desc=LABELS[kind], disable=hidden, unit="text") as bar:
        encode = partial(_encode, model, own, kind, batch_size or DEFAULT_BATCH_SIZE, watch or bar.update)
        shares = [encode()] if alone else in_each(encode)
    vectors = np.concatenate([share for share in shares if share.size])
    encoded = np.concatenate([order[rank :: me.world] for rank in range(me.world)])
    return vectors[np.argsort(encoded)[inverse]]


def languages_for(model: Any, texts: Iterable[str], languages: Iterable[str] | None) -> Iterator[str]:
    """The language of each text as a model is told it: "" where it does not ask, or was not made for the language.

    Says once which languages it was not made for.
    """
    own = frozenset[str]()
    if languages is not None and "sentence_transformers" in sys.modules:
        from isoglot.models.mapped import routed_languages

        own = routed_languages(model)
    if languages is None or not own:
        return ("" for _ in texts)
    return (lang if lang in own or not lang else _untold(lang) for lang, _ in zip(languages, texts))


@cache
def _untold(lang: str) -> str:
    say(f"the model was debiased without texts in {lang}: the language of each of these is told from its embedding")
    return ""


def _encode(
    model: Any, texts: list[tuple[str, str]], kind: Kind, size: int, done: Callable[[int], Any]
) -> Float32Array:
    """Vectors of distinct (language, text), longest first, shape (n, d); shape (0, 0) for none."""
    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    told = np.array([lang for lang, _ in texts])
    rows = [np.flatnonzero(told == lang) for lang in dict.fromkeys(told.tolist())]
    vectors = [
        _encode_alike(model, [texts[row][1] for row in own.tolist()], kind, str(told[own[0]]), size, done)
        for own in rows
    ]
    return np.concatenate(vectors)[np.argsort(np.concatenate(rows))]


def _encode_alike(
    model: Any, texts: list[str], kind: Kind, lang: str, size: int, done: Callable[[int], Any]
) -> Float32Array:
    """Vectors of texts of one language, or ("") of any, longest first, shape (n, d)."""
    cosine = similarity_of(model) == "cosine"
    encode = model.encode_query if kind == "query" else model.encode_document
    task, plain, stream = "query" if kind == "query" else "document", False, None
    if lang:
        from isoglot.models.mapped import task_of

        task = task_of(model, task, lang)
        encode = partial(model.encode, prompt=prompt_of(model, kind), task=task)
    if "sentence_transformers" in sys.modules:  # else the model cannot be one of its own
        from isoglot.retrieval.length_batches import forward, is_plain
        from isoglot.retrieval.streams import stream_of

        plain = is_plain(model)
        stream = stream_of(model, texts, prompt_of(model, kind), task) if plain else None
    if stream is not None:
        whole = stream.embed(texts, done)
        _check_finite(whole, texts)
        return unit(whole) if cosine else whole
    window = _WINDOW if plain else size * _BATCHES_PER_CALL
    chunks = []
    for start in range(0, len(texts), window):
        chunk = texts[start : start + window]
        vectors = forward(model, chunk, prompt_of(model, kind), task, size, done) if plain else None
        if vectors is None:  # not plain, or its tokenizer does something unusual
            vectors = np.asarray(encode(chunk, batch_size=size, show_progress_bar=False), dtype=np.float32)
            done(len(chunk))
        _check_finite(vectors, chunk)
        chunks.append(unit(vectors) if cosine else vectors)
    return np.concatenate(chunks)


def prompt_of(model: Any, kind: Kind) -> str:
    """The prompt that `encode_query` or `encode_document` of a model puts before a text ("" for none)."""
    prompts = getattr(model, "prompts", None) or {}
    name = next((name for name in _PROMPTS[kind] if name in prompts), getattr(model, "default_prompt_name", None))
    return prompts.get(name) or ""


def similarity_of(model: Any) -> str:
    """By what a model's vectors are compared: "cosine" (where it does not say) or "dot", the inner product.

    Raises:
        InputError: by something else.
    """
    name = str(getattr(model, "similarity_fn_name", None) or "cosine")
    if name not in SIMILARITIES:
        raise InputError(
            f"this model compares vectors by their {name} distance, by which nothing is ranked here: "
            f"measure it by another with --similarity {' or '.join(SIMILARITIES)}"
        )
    return name


def device_of(model: Any) -> str:
    """The kind of device that a model is on ("cpu" where it does not say)."""
    return str(getattr(getattr(model, "device", None), "type", "cpu"))


def pooled_texts(benchmark: Benchmark, kind: Kind) -> list[str]:
    """The texts of all queries or all passages in pooled order."""
    return [text for _, _, text in (benchmark.pooled_queries() if kind == "query" else benchmark.pooled_documents())]


def pooled_languages(benchmark: Benchmark, kind: Kind) -> list[str]:
    """Their languages, in the same order."""
    by_language = benchmark.queries if kind == "query" else benchmark.corpus
    return [lang for lang, texts in by_language.items() for _ in range(len(texts))]


def _check_finite(vectors: Float32Array, texts: Sequence[str]) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        text = texts[int(np.argmin(finite))]
        raise InputError(f"the model gave a vector with NaN or infinity for the text {text[:80]!r}")


def unit(vectors: Float32Array) -> Float32Array:
    """Rows divided by their length, which is taken in float64."""
    length: FloatArray = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)
