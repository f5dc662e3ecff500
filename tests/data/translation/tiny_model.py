"""A tiny model of NLLB's class that was trained for a moment: it answers in words of the target language."""

from __future__ import annotations

import random
from pathlib import Path

WORDS = {
    "eng_Latn": ["the", "dog", "sees", "a", "cat", "house", "big", "small"],
    "deu_Latn": ["der", "hund", "sieht", "eine", "katze", "haus", "gross", "klein"],
    "fra_Latn": ["le", "chien", "voit", "un", "chat", "maison", "grand", "petit"],
}
CODES = [*WORDS, "zho_Hant"]
LIMIT = 40
"""Tokens that it takes."""


def tiny_nllb(path: Path, steps: int = 60) -> Path:
    """Write the model to `path` and return it: one layer on each side, hidden size 32, a token per word."""
    import torch
    from transformers import GenerationConfig, M2M100Config, M2M100ForConditionalGeneration

    torch.manual_seed(0)
    tokenizer = _tokenizer()
    both = {
        f"{side}_{name}": 2 if name == "attention_heads" else 64 for side in ("encoder", "decoder") for name in _SIZES
    }
    without = {f"{side}_layerdrop": 0.0 for side in ("encoder", "decoder")}
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        max_position_embeddings=64,
        **both,
        **without,
    )
    model = M2M100ForConditionalGeneration(config)
    optimizer, draw = torch.optim.Adam(model.parameters(), 1e-2), random.Random(0)
    for step in range(steps):
        target = ("deu_Latn", "fra_Latn")[step % 2]
        places = [[draw.randrange(8) for _ in range(draw.randint(1, 3))] for _ in range(16)]
        batch, labels = (_encoded(tokenizer, code, places) for code in ("eng_Latn", target))
        wanted = labels["input_ids"].masked_fill(labels["input_ids"] == tokenizer.pad_token_id, -100)
        model(**batch, labels=wanted).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.generation_config = GenerationConfig(max_length=200, decoder_start_token_id=2, eos_token_id=2, pad_token_id=1)
    model.save_pretrained(path)
    tokenizer.src_lang = "eng_Latn"
    tokenizer.save_pretrained(path)
    return path


_SIZES = ("attention_heads", "ffn_dim")


def _tokenizer():  # type: ignore[no-untyped-def]
    from transformers import NllbTokenizer

    pieces, merges = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "▁": 4}, []
    words = [word for some in WORDS.values() for word in some]
    for letter in sorted(set("".join(words))):
        pieces[letter] = len(pieces)
    for word in words:
        for end in range(len(word)):
            if f"▁{word[: end + 1]}" not in pieces:
                pieces[f"▁{word[: end + 1]}"] = len(pieces)
                merges.append((f"▁{word[:end]}", word[end]))
    return NllbTokenizer(
        vocab=pieces, merges=merges, extra_special_tokens=CODES, src_lang="eng_Latn", model_max_length=LIMIT
    )


def _encoded(tokenizer, code: str, places: list[list[int]]):  # type: ignore[no-untyped-def]
    tokenizer.src_lang = code
    texts = [" ".join(WORDS[code][place] for place in some) for some in places]
    return tokenizer(texts, padding=True, return_tensors="pt")
