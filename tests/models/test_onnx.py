"""Models exported to ONNX: the same vectors, prompts, modules behind the encoder, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.errors import InputError
from isoglot.evaluation.results import model_digest
from isoglot.models.content import base_digest
from isoglot.models.load import load_model
from isoglot.retrieval.encode import encode_texts
from tests.training.tiny import WORDS, tiny_base

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

KINDS = ["mean", "labse", "modernbert", "mpnet-plain", "last-token-left", "matryoshka", "adapter-inside"]
TEXTS = [" ".join(WORDS[start : start + 1 + start % 9]) for start in range(24)] + ["unheard-of"]


def export(base: Path, output: Path, *more: str) -> Path:
    assert main(["model", "export", str(base), "--output", str(output), *more]) == 0
    return output


@pytest.fixture(scope="module")
def debiased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a correction per language behind its pooling, and prompts."""
    folder = tmp_path_factory.mktemp("onnx")
    texts = folder / "texts.jsonl"
    rows = [{"lang": lang, "text": f"{word} {lang}"} for lang in ("de", "en", "th") for word in WORDS[:30]]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    base = tiny_base(folder / "base")
    prompted = load_model(str(base), query_prompt=f"{WORDS[0]} ", passage_prompt=f"{WORDS[1]} ")
    prompted.save_pretrained(str(folder / "prompted"))
    output = folder / "debiased"
    command = ["debias", str(folder / "prompted"), "--fit", str(texts), "--method", "centring", "--output", str(output)]
    assert main([*command, "--strength", "0.5"]) == 0
    return output


@pytest.fixture(scope="module")
def exported(debiased: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(debiased, tmp_path_factory.mktemp("exported") / "model")


@pytest.mark.parametrize(
    "kind",
    [
        "mean",
        "labse",
        "modernbert",
        "mpnet-plain",
        "distilbert-plain",
        "last-token-left",
        "matryoshka",
        "adapter-inside",
    ],
)
def test_encoders_have_the_same_vectors_at_any_length(kind: str, zoo: Callable[[str], Path], tmp_path: Path) -> None:
    model = load_model(str(zoo(kind)), device="cpu")
    graph = load_model(str(export(zoo(kind), tmp_path / "out")))
    assert graph.get_backend() == "onnx"
    for texts in (TEXTS, TEXTS[:1], [" ".join(WORDS)]):
        for side in ("query", "passage"):
            assert np.allclose(encode_texts(graph, texts, side), encode_texts(model, texts, side), atol=2e-5)


def test_prompts_and_corrections_are_kept(debiased: Path, exported: Path) -> None:
    before, after = load_model(str(debiased), device="cpu"), load_model(str(exported))
    assert [type(module) for module in before] == [type(module) for module in after]
    assert after.prompts == before.prompts
    for side, prompt in (("query", WORDS[0]), ("passage", WORDS[1])):
        vectors = encode_texts(after, TEXTS, side)
        assert np.allclose(vectors, encode_texts(before, TEXTS, side), atol=2e-5)
        bare = after.encode([f"{prompt} {TEXTS[5]}"], task="query" if side == "query" else "document")
        assert np.allclose(bare, vectors[5], atol=2e-5)
    assert json.loads((exported / "debias.json").read_text()) == json.loads((debiased / "debias.json").read_text())
    assert not list(exported.glob("model*.safetensors"))


def test_stored_in_8_bits(debiased: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = encode_texts(load_model(str(debiased), device="cpu"), TEXTS, "passage")
    sizes, cosines = {}, {}
    for how in ("int8", "int8-dynamic"):
        folder = export(debiased, tmp_path / how, "--quantize", how, "--json")
        told = json.loads(capsys.readouterr().out)
        assert told["cosine"]["least"] < 1 - 1e-9
        model = load_model(str(folder))
        cosines[how] = (encode_texts(model, TEXTS, "passage") * before).sum(axis=1).min()
        said = capsys.readouterr().err
        assert f"float32 (stored in {how})" in said
        assert ("depends on which others" in said) == (how == "int8-dynamic")
        sizes[how] = (folder / "onnx" / "model.onnx").stat().st_size
        # in batches of their own as in one: only true of blocks
        alone = np.concatenate([encode_texts(model, [text], "passage") for text in TEXTS])
        together = np.asarray(model.encode_document(TEXTS, batch_size=64))
        assert (np.abs(alone - together).max() < 1e-5) == (how == "int8")
    assert cosines["int8"] > 0.999
    assert [path.name for path in (tmp_path / "int8" / "onnx").iterdir()] == ["model.onnx"]


def test_other_weights_are_another_model(exported: Path, debiased: Path, tmp_path: Path) -> None:
    folders = [exported, export(debiased, tmp_path / "int8", "--quantize", "int8")]
    assert len({base_digest(str(folder)) for folder in folders}) == 2
    assert len({model_digest(load_model(str(folder))) for folder in folders}) == 2
    again = export(debiased, tmp_path / "again")
    assert model_digest(load_model(str(again))) == model_digest(load_model(str(exported)))


def test_saved_again_by_sentence_transformers(exported: Path, tmp_path: Path) -> None:
    load_model(str(exported)).save_pretrained(str(tmp_path / "copy"))
    vectors = [encode_texts(load_model(str(path)), TEXTS, "query") for path in (exported, tmp_path / "copy")]
    assert np.array_equal(*vectors)


def test_evaluate_measures_it(
    exported: Path, debiased: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summaries = []
    for model in (exported, debiased):
        assert main(["evaluate", str(model), "faq", "--languages", "de", "en", "--device", "cpu", "--json"]) == 0
        summaries.append(json.loads(capsys.readouterr().out))
    first, second = (summary["settings"] for summary in summaries)
    assert first["multi"] == pytest.approx(second["multi"], abs=1e-3)
    assert summaries[0]["model_facts"]["backend"] == "onnx"


def test_it_can_be_published(exported: Path, tmp_path: Path) -> None:
    about = ["--license", "mit", "--base-model", "none", "--languages", "de", "en", "th"]
    assert main(["push", str(exported), "me/small", *about, "--dry-run", str(tmp_path / "look")]) == 0
    vectors = [encode_texts(load_model(str(path)), TEXTS, "query") for path in (exported, tmp_path / "look")]
    assert np.array_equal(*vectors)
    card = (tmp_path / "look" / "README.md").read_text(encoding="utf-8")
    assert 'SentenceTransformer("me/small", backend="onnx")' in card
    assert "centring" in (tmp_path / "look" / "debias.json").read_text(encoding="utf-8")
    assert str(exported.parent) not in card


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ["train", "--base", "MODEL", "--pairs", "facts:", "--strategy", "mono", "--steps", "1", "--output", "OUT"],
            "graph",
        ),
        (["model", "prune", "MODEL", "--languages", "de", "--output", "OUT"], "only embeds texts"),
        (["model", "average", "MODEL", "MODEL", "--output", "OUT"], "give the model that it was exported from"),
        (["model", "export", "MODEL", "--output", "OUT"], "is an ONNX graph"),
        (["evaluate", "MODEL", "faq", "--device", "meta"], ""),
    ],
)
def test_what_needs_weights_is_refused(
    command: list[str], said: str, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"MODEL": str(exported), "OUT": str(tmp_path / "out")}
    assert main([words.get(word, word) for word in command]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "out" / "modules.json").exists()


def test_damaged_graphs_are_refused(exported: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(exported, tmp_path / "cut")
    graph = tmp_path / "cut" / "onnx" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:2000])
    with pytest.raises(InputError, match="onnxruntime cannot load it"):
        load_model(str(tmp_path / "cut"))


def test_models_that_cannot_be_exported_leave_nothing(
    zoo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    def no_graph(*_: object, **__: object) -> None:
        raise RuntimeError("Failed to export") from ValueError("Cannot view a tensor\nwith strides")

    monkeypatch.setattr(torch.onnx, "export", no_graph)
    for kind, said in (
        ("static", "a model with one encoder"),
        ("router", "a model with one encoder"),
        ("mean", "Cannot view"),
    ):
        assert main(["model", "export", str(zoo(kind)), "--output", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error
        assert not (tmp_path / "out").exists()
