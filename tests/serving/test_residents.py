"""Models in memory: what they have in common is there once, and they still give what they give alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isoglot.models.load import load_model
from isoglot.records import Kind
from isoglot.retrieval.encode import encode_texts
from isoglot.serving.residents import Residents, Unencodable, share
from tests.training.tiny import WORDS

TEXTS = [" ".join(WORDS[start : start + 5]) for start in range(0, 60, 5)]
KINDS_OF_TEXTS: tuple[Kind, ...] = ("query", "passage")


def pointers(model) -> set[int]:
    return {tensor.data_ptr() for tensor in model.parameters()}


def test_an_adapter_shares_all_but_what_it_changes(models: tuple[Path, Path]) -> None:
    base, repaired = models
    alone = {name: load_model(str(path), device="cpu") for name, path in (("base", base), ("repaired", repaired))}
    residents = Residents({"base": str(base), "repaired": str(repaired)}, "cpu")
    first, second = residents["base"].model, residents["repaired"].model
    changed = {name for name, _ in second.named_parameters() if "query" in name or "value" in name}
    changed = {name for name in changed if name.endswith("weight")}
    shared, own = dict(first.named_parameters()), dict(second.named_parameters())
    assert shared.keys() == own.keys()
    for name, tensor in own.items():
        assert (tensor.data_ptr() in pointers(first)) == (name not in changed), name
    assert len(changed) == 4
    assert first.tokenizer is second.tokenizer
    for name, resident in residents.items():
        for kind in KINDS_OF_TEXTS:
            expected = encode_texts(alone[name], TEXTS, kind, progress=False)
            assert (encode_texts(resident.model, TEXTS, kind, progress=False) == expected).all()
    assert not np.allclose(*(encode_texts(one.model, TEXTS, "query", progress=False) for one in residents.values()))


def test_the_same_model_again_takes_no_memory(models: tuple[Path, Path]) -> None:
    first, second = (load_model(str(models[0]), device="cpu") for _ in range(2))
    bytes_of_all = sum(tensor.numel() * tensor.element_size() for tensor in second.parameters())
    assert not pointers(first) & pointers(second)
    saved = share([first], second)
    assert pointers(second) <= pointers(first)
    assert saved >= bytes_of_all
    assert share([first], second) == 0, "a second time there is nothing to give back"


def test_other_models_share_nothing(zoo) -> None:
    first, second = (load_model(str(zoo(kind)), device="cpu") for kind in ("mean", "cls"))
    before = encode_texts(second, TEXTS, "query", progress=False)
    share([first], second)
    common = pointers(first) & pointers(second)
    ones = {tensor.data_ptr() for tensor in second.parameters() if (tensor == 0).all() or (tensor == 1).all()}
    assert common <= ones, "norms and biases of models that were never trained are the same"
    assert (encode_texts(second, TEXTS, "query", progress=False) == before).all()


def test_tokenizers_with_other_limits_are_kept_apart(zoo) -> None:
    first, second = (load_model(str(zoo(kind)), device="cpu") for kind in ("mean", "short"))
    share([first], second)
    assert first.tokenizer is not second.tokenizer
    assert (first.tokenizer.model_max_length, second.tokenizer.model_max_length) == (64, 9)


@pytest.mark.parametrize("kind", ["mean", "short", "router", "static", "last-token-left", "prompts-query-document"])
def test_tokens_are_those_that_the_model_reads(zoo, kind: str) -> None:
    resident = Residents({"one": str(zoo(kind))}, "cpu")["one"]
    texts = ["de1", " ".join(WORDS[:8]), " ".join(WORDS[:100])]
    for side, task in (("query", "query"), ("passage", "document")):
        tokens, cut = resident.count(texts, side)
        prompt = (resident.model.prompts or {}).get(task) or ""
        features = resident.model.preprocess(texts, prompt=prompt, task=task)
        if "attention_mask" in features:
            assert tokens == features["attention_mask"].sum(1).tolist()
            assert cut == [False, kind == "short", True]
        else:
            assert tokens == [1, 8, 100]
            assert cut == [False, False, False]


def test_a_text_without_tokens_is_the_clients_mistake(zoo) -> None:
    residents = Residents({"one": str(zoo("static"))}, "cpu")
    residents["one"].model.encode_query = lambda texts, **_: np.full((len(texts), 4), np.nan, dtype=np.float32)
    with pytest.raises(Unencodable, match="NaN"):
        residents.encode(("one", "query"), ["de1"], True, 1024)
