"""Tiny models of every kind with random weights, written as directories; their tokenizer knows `tests.training.tiny.WORDS`.

Each layout is what its library's own `save_pretrained` writes. `KINDS` can be loaded, `REFUSED` must not be; both by name.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.training.tiny import WORDS

Builder = Callable[[Path], Path]

HIDDEN, POSITIONS = 32, 64
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
VOCABULARY = len(SPECIAL) + len(WORDS)
_COMMON = {"vocab_size": VOCABULARY, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
_SIZES = {"hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_BERT = {**_COMMON, **_SIZES, "initializer_range": 0.2, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_DECODER = {**_COMMON, **_SIZES, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2}
_NO_DROPOUT = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}


def config_of(kind: str) -> Any:
    """The configuration of a tiny encoder, by a short name."""
    import transformers as t

    heads = {"n_embd": HIDDEN, "n_layer": 2, "n_head": 2, "n_positions": POSITIONS}
    d_model = {"d_model": HIDDEN, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0}
    small = {"dim": HIDDEN, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "dropout": 0.0, "attention_dropout": 0.0}
    window = {"local_attention": 8, "global_attn_every_n_layers": 2}
    makers: dict[str, Callable[[], Any]] = {
        "bert": lambda: t.BertConfig(**_BERT, max_position_embeddings=POSITIONS),
        "roberta": lambda: t.RobertaConfig(**_BERT, max_position_embeddings=POSITIONS + 2, type_vocab_size=1),
        # as in XLM-R, two positions are for the padding
        "xlm-roberta": lambda: t.XLMRobertaConfig(**_BERT, max_position_embeddings=POSITIONS + 2, type_vocab_size=1),
        "modernbert": lambda: t.ModernBertConfig(
            **_COMMON, **_SIZES, **window, max_position_embeddings=POSITIONS, cls_token_id=0, sep_token_id=2
        ),
        "mpnet": lambda: t.MPNetConfig(**_BERT, max_position_embeddings=POSITIONS + 2),
        "distilbert": lambda: t.DistilBertConfig(**_COMMON, **small, max_position_embeddings=POSITIONS),
        # (transformers gives every qwen2 a byte-level tokenizer, whatever the directory says)
        "qwen3": lambda: t.Qwen3Config(**_DECODER, head_dim=8, max_position_embeddings=POSITIONS),
        "gpt2": lambda: t.GPT2Config(
            **{**_COMMON, "pad_token_id": None}, **heads, **_NO_DROPOUT, initializer_range=0.2
        ),
        "t5": lambda: t.T5Config(**_COMMON, **d_model, is_encoder_decoder=False, use_cache=False),
    }
    return makers[kind]()


def tokenizer_of(*, padding: str = "right", pad_token: bool = True, last: bool = False) -> Any:
    """A word tokenizer, <s> ... </s>; with `last` only </s> at the end, as decoders that embed their last token have it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    single = "$A </s>" if last else "<s> $A </s>"
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=f"{single} $B </s>", special_tokens=ends
    )
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if not last:
        special |= {"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
    if pad_token:
        special["pad_token"] = "<pad>"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=POSITIONS, padding_side=padding, **special
    )


def plain(kind: str, *, dtype: str = "float32", seed: int = 0, head: str = "", **tokenizer: Any) -> Builder:
    """A builder of the plain `transformers` layout; with a `head` such as `MaskedLM` the whole model is saved."""

    def build(path: Path) -> Path:
        import torch
        import transformers

        config = config_of(kind)
        torch.manual_seed(seed)
        if head:
            model = getattr(transformers, f"AutoModelFor{head}").from_config(config)
        elif kind == "t5":
            model = transformers.T5EncoderModel(config)
        else:
            model = transformers.AutoModel.from_config(config)
        model.to(getattr(torch, dtype)).save_pretrained(path)
        tokenizer_of(**tokenizer).save_pretrained(path)
        return path

    return build


def modules(
    encoder: Builder,
    *,
    pooling: str | tuple[str, ...] = "mean",
    dense: bool = False,
    normalize: bool = True,
    include_prompt: bool = True,
    max_length: int | None = None,
    **settings: Any,
) -> Builder:
    """A builder of the `sentence-transformers` layout around an encoder; `settings` are those of `SentenceTransformer`."""

    def build(path: Path) -> Path:
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

        with tempfile.TemporaryDirectory() as folder:
            first = Transformer(str(encoder(Path(folder) / "encoder")))
        parts: list[Any] = [first, Pooling(HIDDEN, pooling, include_prompt=include_prompt)]
        width = HIDDEN * (len(pooling) if isinstance(pooling, tuple) else 1)
        torch.manual_seed(1)
        parts += [Dense(width, HIDDEN, activation_function=torch.nn.Tanh())] if dense else []
        parts += [Normalize()] if normalize else []
        model = SentenceTransformer(modules=parts, device="cpu", **settings)
        if max_length:
            model.max_seq_length = max_length
        model.save_pretrained(str(path), create_model_card=False)
        return path

    return build


def router(path: Path) -> Path:
    """Two encoders of their own for queries and documents."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Router, Transformer

    with tempfile.TemporaryDirectory() as folder:
        query, document = (
            [Transformer(str(plain("bert", seed=seed)(Path(folder) / str(seed)))), Pooling(HIDDEN, "mean")]
            for seed in (0, 1)
        )
    routes = Router.for_query_document(query_modules=query, document_modules=document)
    SentenceTransformer(modules=[routes, Normalize()], device="cpu").save_pretrained(str(path), create_model_card=False)
    return path


def static(path: Path) -> Path:
    """An embedding per token, and their mean."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(0)
    module = StaticEmbedding(tokenizer_of(), embedding_weights=torch.randn(VOCABULARY, HIDDEN))
    SentenceTransformer(modules=[module], device="cpu").save_pretrained(str(path), create_model_card=False)
    return path


def adapter_inside(path: Path) -> Path:
    """What `SentenceTransformer.add_adapter` and `save_pretrained` write: the base lies beside, named by its whole path."""
    import torch
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    base = modules(plain("bert"))(path.with_name(f"{path.name}-base"))
    model = SentenceTransformer(str(base), device="cpu")
    torch.manual_seed(2)
    model.add_adapter(LoraConfig(r=4, target_modules=["query", "value"], init_lora_weights=False))
    model.save_pretrained(str(path), create_model_card=False)
    return path


def cross_encoder(path: Path) -> Path:
    from sentence_transformers import CrossEncoder

    with tempfile.TemporaryDirectory() as folder:
        CrossEncoder(str(plain("bert")(Path(folder))), num_labels=1, device="cpu").save_pretrained(str(path))
    return path


def sparse(path: Path) -> Path:
    from sentence_transformers import SparseEncoder

    with tempfile.TemporaryDirectory() as folder:
        encoder = plain("bert", head="MaskedLM")(Path(folder))
        SparseEncoder(str(encoder), device="cpu").save_pretrained(str(path), create_model_card=False)
    return path


def late_interaction(path: Path) -> Path:
    from sentence_transformers import MultiVectorEncoder

    with tempfile.TemporaryDirectory() as folder:
        encoder = plain("bert")(Path(folder))
        MultiVectorEncoder(str(encoder), device="cpu").save_pretrained(str(path), create_model_card=False)
    return path


def pylate(path: Path) -> Path:
    """Late interaction as PyLate saves it: a Dense of its own per token, no pooling."""
    modules(plain("bert"), dense=True, normalize=False)(path)
    listed = json.loads((path / "modules.json").read_text())
    rest = [{**listed[-1], "idx": 1, "name": "1", "type": "pylate.models.Dense.Dense"}]
    (path / "modules.json").write_text(json.dumps([listed[0], *rest]))
    settings = {"query_prefix": "[Q] ", "document_prefix": "[D] ", "similarity_fn_name": "MaxSim"}
    (path / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return path


def multimodal(path: Path) -> Path:
    """Pictures and texts in one space."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    small = {**_SIZES, "projection_dim": HIDDEN}
    text = {**_COMMON, **small, "max_position_embeddings": POSITIONS}
    config = CLIPConfig(
        text_config=text, vision_config={**small, "image_size": 8, "patch_size": 4}, projection_dim=HIDDEN
    )
    CLIPModel(config).save_pretrained(path)
    CLIPProcessor(CLIPImageProcessor(), tokenizer_of()).save_pretrained(path)
    return path


_QUERY_PASSAGE = {"query": "en1 ", "passage": "de2 de3 "}
_LAST: dict[str, Any] = {"padding": "left", "last": True}

KINDS: Mapping[str, Builder] = {
    **{
        f"{kind}-plain": plain(kind) for kind in ("bert", "roberta", "xlm-roberta", "modernbert", "mpnet", "distilbert")
    },
    "qwen3-plain": plain("qwen3", **_LAST),
    "masked-lm": plain("xlm-roberta", head="MaskedLM"),
    "causal-lm": plain("qwen3", head="CausalLM", **_LAST),
    "mean": modules(plain("xlm-roberta")),
    "cls": modules(plain("bert"), pooling="cls"),
    "max": modules(plain("bert"), pooling="max"),
    "mean-sqrt": modules(plain("bert"), pooling="mean_sqrt_len_tokens"),
    "two-poolings": modules(plain("bert"), pooling=("cls", "mean")),
    "weighted-mean": modules(plain("gpt2", pad_token=False, last=True), pooling="weightedmean"),
    "last-token-left": modules(plain("qwen3", **_LAST), pooling="lasttoken"),
    "last-token-right": modules(plain("qwen3", last=True), pooling="lasttoken"),
    "modernbert": modules(plain("modernbert")),
    "t5": modules(plain("t5")),
    "labse": modules(plain("bert"), pooling="cls", dense=True),
    "not-normalized": modules(plain("bert"), normalize=False),
    "dot": modules(plain("bert"), normalize=False, similarity_fn_name="dot"),
    "euclidean": modules(plain("bert"), normalize=False, similarity_fn_name="euclidean"),
    "manhattan": modules(plain("bert"), normalize=False, similarity_fn_name="manhattan"),
    "matryoshka": modules(plain("bert"), normalize=False, truncate_dim=12),
    "short": modules(plain("xlm-roberta"), max_length=9),
    "router": router,
    "static": static,
    "bfloat16": modules(plain("bert", dtype="bfloat16")),
    "float16": modules(plain("bert", dtype="float16")),
    "adapter-inside": adapter_inside,
    "prompts-query-document": modules(plain("bert"), prompts={"query": "en1 ", "document": "de2 de3 "}),
    "prompts-query-passage": modules(plain("bert"), prompts=_QUERY_PASSAGE),
    "prompts-default": modules(plain("bert"), prompts={"task": "zh5 "}, default_prompt_name="task"),
    "prompts-not-pooled": modules(plain("bert"), prompts=_QUERY_PASSAGE, include_prompt=False),
    "prompts-not-pooled-left": modules(plain("qwen3", **_LAST), prompts=_QUERY_PASSAGE, include_prompt=False),
    "prompts-empty": modules(plain("bert"), prompts={"query": "", "document": ""}),
}

REFUSED: Mapping[str, Builder] = {
    "cross-encoder": cross_encoder,
    "classifier": plain("bert", head="SequenceClassification"),
    "sparse": sparse,
    "late-interaction": late_interaction,
    "pylate": pylate,
    "multimodal": multimodal,
}
