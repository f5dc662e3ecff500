"""A tiny BERT with random weights and a word tokenizer, in the plain transformers layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.data.pairs.table import PairTable
from isoglot.models.tunings.lora import Lora
from isoglot.records import PairRow

LANGUAGES = ("de", "en", "zh")
WORDS = [f"{lang}{number}" for lang in LANGUAGES for number in range(60)]


def small_lora(given: Mapping[str, Any]) -> dict[str, Any]:
    """LoRA of rank 4 where settings do not ask for full fine-tuning."""
    return {} if given.get("tuning") == "full" else {"lora": Lora(rank=4)}


def tiny_base(path: Path, words: Sequence[str] = WORDS, seed: int = 0) -> Path:
    """Write the model to `path` and return it: 2 layers, hidden size 32, a token per word."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "cls", "sep", "unk", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **special).save_pretrained(path)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    torch.manual_seed(seed)
    BertModel(config).save_pretrained(path)
    return path


def pair_rows(n: int = 24, negatives: bool = False, languages: tuple[str, ...] = LANGUAGES) -> list[PairRow]:
    """n parallel pairs whose texts have 2 to 9 words of their language."""
    rows = []
    for number in range(n):
        for lang in languages:
            words = [f"{lang}{(number * 7 + step) % 60}" for step in range(2 + number % 8)]
            more = (f"{lang}{number} {lang}{number + 1}", f"{lang}59") if negatives else ()
            rows.append(
                PairRow(
                    "made", str(number), lang, " ".join(words), " ".join([*words[::-1], f"{lang}{number}"]), None, more
                )
            )
    return rows


def pair_table(n: int = 24, negatives: bool = False, languages: tuple[str, ...] = LANGUAGES) -> PairTable:
    """The table of `pair_rows`."""
    return PairTable.from_rows(pair_rows(n, negatives, languages))


def info_nce(model: Any, *, scale: float, symmetric: bool = False, tokens: int = 0, **more: Any) -> Any:
    """The loss of in-batch negatives, with gradient caching where `tokens` are given."""
    from isoglot.training.gradcache import CachedBatchLoss
    from isoglot.training.loss import BatchLoss
    from isoglot.training.losses.infonce import InfoNCE

    terms = [InfoNCE(scale=scale, symmetric=symmetric)]
    return CachedBatchLoss(model, terms, tokens=tokens, **more) if tokens else BatchLoss(model, terms, **more)


def load_tuned(base: str, tuning: Any = None, **more: Any) -> Any:
    """A model whose weights are made trainable by a tuning (None: as it was loaded)."""
    from isoglot.models.load import load_model

    model = load_model(base, **more)
    if tuning is not None:
        tuning.prepare(model)
    return model
