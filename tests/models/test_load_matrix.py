"""Every kind of model: evaluated as sentence-transformers embeds one text at a time, or refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.models.facts import describe, in_one_line
from isoglot.models.load import encoder_of, load_model
from isoglot.retrieval.encode import Kind, encode_texts
from tests.models.zoo import HIDDEN, KINDS
from tests.training.tiny import WORDS

PLAIN = ("Query: ", "Passage: ")
PROMPTS: dict[str, tuple[str, str]] = {
    **{name: PLAIN for name in KINDS if name.endswith(("-plain", "-lm"))},
    "prompts-query-document": ("en1 ", "de2 de3 "),
    **{f"prompts-{name}": ("en1 ", "de2 de3 ") for name in ("query-passage", "not-pooled", "not-pooled-left")},
}
"""What is put before queries and passages; nothing for the others."""


def texts() -> list[str]:
    """Of 0 to 90 words (no model reads more than 64), in no order."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, size)) for size in (3, 1, 7, 90, 2, 12, 40, 62, 64, 5, 5, 7, 1, 30, 61, 63)]


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_one_text_at_a_time(kind: str, zoo: Any) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    path = str(zoo(kind))
    theirs = SentenceTransformer(path, device="cpu", model_kwargs={"dtype": torch.float32})
    if theirs.tokenizer is not None and hasattr(theirs.tokenizer, "pad_token") and theirs.tokenizer.pad_token is None:
        theirs.tokenizer.pad_token = theirs.tokenizer.eos_token
    ours = load_model(path, device="cpu", similarity="cosine" if kind in ("euclidean", "manhattan") else None)
    sides: tuple[Kind, Kind] = ("query", "passage")
    for side, prompt in zip(sides, PROMPTS.get(kind, ("", ""))):
        encode = theirs.encode_query if side == "query" else theirs.encode_document
        wanted = np.stack([encode(text, prompt=prompt) for text in texts()])
        assert np.abs(wanted - wanted[0]).max() > 1e-3, "the texts can be told apart"
        if kind != "dot":
            wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        vectors = encode_texts(ours, texts(), side, 4, progress=False)
        np.testing.assert_allclose(vectors, wanted, atol=1e-6 * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cross-encoder", r"reranker"),
        ("classifier", r"classifier or reranker"),
        ("sparse", r"sparse encoder"),
        ("late-interaction", r"late-interaction"),
        ("pylate", r"late-interaction"),
        ("multimodal", r"image"),
    ],
)
def test_what_is_no_model_of_one_vector_per_text_is_refused(kind: str, message: str, zoo: Any) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_model(str(zoo(kind)), device="cpu")
    assert str(zoo(kind)) in str(caught.value)
    assert "\n" not in str(caught.value)


FACTS: dict[str, dict[str, Any]] = {
    "mean": {
        "pooling": "mean",
        "normalized": True,
        "encoder": "xlm-roberta",
        "max_length": 64,
        "padding_side": "right",
    },
    "labse": {"pooling": "cls", "modules": ["Transformer", "Pooling", "Dense", "Normalize"], "dimensions": HIDDEN},
    "dot": {"similarity": "dot", "normalized": False, "dtype": "float32"},
    "last-token-left": {"padding_side": "left", "attention": "causal (sdpa)", "pooling": "lasttoken"},
    "modernbert": {"attention": "both ways, window 8 (sdpa)"},
    "router": {"routes": ["query", "document"], "normalized": True},
    "static": {"dimensions": HIDDEN, "normalized": False},
    "matryoshka": {"dimensions": 12},
    "bfloat16": {"dtype": "float32", "stored_dtype": "bfloat16"},
    "short": {"max_length": 9},
    "two-poolings": {"pooling": "cls + mean", "dimensions": 2 * HIDDEN},
    "weighted-mean": {"notes": ["no padding token: </s> pads"]},
    "prompts-not-pooled": {"pooling": "mean without the prompt"},
}


@pytest.mark.parametrize("kind", FACTS)
def test_what_was_read_is_said_and_recorded(kind: str, zoo: Any, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    model = load_model(str(zoo(kind)), device="cpu")
    facts = describe(model)
    assert {key: facts[key] for key in FACTS[kind]} == FACTS[kind]
    assert json.loads(json.dumps(facts)) == facts
    line = in_one_line(model)
    assert "\n" not in line
    assert f"{facts['dimensions']} dimensions" in line


@pytest.mark.parametrize("kind", ["bert-plain", "modernbert", "qwen3-plain", "t5"])
def test_dropout_reaches_every_encoder(kind: str, zoo: Any) -> None:
    """Some keep the share of their attention as a number, without a module."""
    import torch

    for share, is_random in ((0.5, True), (0.0, False)):
        model = load_model(str(zoo(kind)), device="cpu", dropout=share)
        encoder, tokens = encoder_of(model).train(), {"input_ids": torch.arange(5, 12)[None]}
        first, second = (encoder(**tokens).last_hidden_state for _ in range(2))
        assert torch.equal(first, second) != is_random
        shares = [value for module in encoder.modules() for name, value in vars(module).items() if "dropout" in name]
        assert not shares or set(shares) == {share}


def test_dropout_without_a_place_is_refused(zoo: Any) -> None:
    with pytest.raises(InputError, match="dropout: this model has none"):
        load_model(str(zoo("static")), device="cpu", dropout=0.1)
