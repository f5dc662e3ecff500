"""The probe of layers: its figures by brute force, what is chosen, and what is said of a cosine near 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoglot.cli.main import main
from isoglot.data.lexicons.word_pairs import WordPairs
from isoglot.models.load import load_model
from isoglot.retrieval import probe as module
from isoglot.retrieval.encode import unit
from isoglot.retrieval.layers import embed_layers
from isoglot.retrieval.probe import PairScores, choose_layer, mean_interval, score_pairs
from tests.data.test_word_pairs import made
from tests.lexicons import write_tsv
from tests.models.zoo import KINDS


@given(st.integers(2, 12), st.integers(0, 1000), st.integers(1, 5))
@settings(max_examples=30)
def test_figures_are_those_of_all_pairs_one_by_one(n: int, seed: int, block: int) -> None:
    random = np.random.default_rng(seed)
    words, texts = (unit(random.integers(-2, 3, (n, 3)).astype(np.float32) + np.float32(0.1)) for _ in range(2))
    pairs = made("en", "de", n)
    also = tuple(frozenset({f"de{i}", f"de{random.integers(n)}"}) for i in range(n))
    pairs = WordPairs("en", "de", pairs.words, pairs.translations, also)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        scores = score_pairs(words, texts, pairs)
    cosines = (words @ texts.T).astype(np.float64)
    for i in range(n):
        assert scores.cosine[i] == pytest.approx(cosines[i, i], abs=1e-6)
        assert scores.shuffled[i] == pytest.approx(np.mean([cosines[i, j] for j in range(n) if j != i]), abs=1e-6)
        right = [cosines[i, j] for j in range(n) if f"de{j}" in also[i]]
        wrong = [cosines[i, j] for j in range(n) if f"de{j}" not in also[i]]
        if not wrong or abs(max(right) - max(wrong)) > 1e-6:
            assert scores.hits[i] == (not wrong or max(right) > max(wrong))
        elif words[i].tobytes() and max(right) == max(wrong):
            assert not scores.hits[i], "a tie is no hit"


def scores(cosine: float, shuffled: float, hit: float, n: int = 100) -> PairScores:
    return PairScores(np.full(n, cosine), np.full(n, shuffled), np.arange(n) < hit * n)


def test_each_criterion_chooses_its_own_layer() -> None:
    """A layer with all vectors in one place wins by the cosine alone."""
    layers = {"0": scores(0.99998, 0.9999, 0.01), "1": scores(0.9, 0.4, 0.5), "2": scores(0.7, 0.3, 0.8)}
    assert choose_layer([layers], "cosine", list(layers)) == "0"
    assert choose_layer([layers], "margin", list(layers)) == "1"
    assert choose_layer([layers], "P@1", list(layers)) == "2"
    assert choose_layer([layers, layers], "P@1", ["0", "1"]) == "1"
    assert choose_layer([{"a": layers["1"], "b": layers["1"]}], "P@1", ["a", "b"]) == "a"


def test_an_interval_covers_the_mean_and_narrows() -> None:
    values = np.random.default_rng(0).normal(0.2, 1.0, 400)
    low, high = mean_interval(values, 2000, 0)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert mean_interval(values, 2000, 0) == (low, high)


@pytest.mark.parametrize("kind", ["mean", "last-token-left"])
def test_vectors_of_a_word_do_not_depend_on_the_others(kind: str, tmp_path: Path) -> None:
    model = load_model(str(KINDS[kind](tmp_path / "model")), device="cpu")
    words = ["en1", "de1 de2 de3", "zh5", "zh5 en3"]
    together = embed_layers(model, words, "none")
    for number, word in enumerate(words):
        for layer, alone in zip(together, embed_layers(model, [word], "none")):
            np.testing.assert_allclose(layer[number], alone[0], atol=1e-6)
    np.testing.assert_allclose(embed_layers(model, words, "query")[-1], unit(model.encode_query(words)), atol=1e-6)
    np.testing.assert_allclose(embed_layers(model, words, "passage")[-1], unit(model.encode_document(words)), atol=1e-6)


@pytest.fixture
def lexicons(tmp_path: Path) -> list[str]:
    targets = {"en-de.tsv": "de", "en-zh.tsv": "zh"}
    return [str(write_tsv(tmp_path / n, {f"en{i}": f"{t}{i}" for i in range(50)})) for n, t in targets.items()]


def test_the_command_prints_a_table_and_draws(
    lexicons: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(KINDS["mean"](tmp_path / "model"))
    command = ["probe", model, "--lexicon", *lexicons, "--pairs", "20", "--device", "cpu"]
    assert main([*command, "--picture", str(tmp_path / "layers.svg")]) == 0
    out = capsys.readouterr().out
    assert "en-de, 20" in out
    assert "chosen: layer" in out
    assert "en-zh" in (tmp_path / "layers.svg").read_text()
    first = (tmp_path / "layers.svg").read_bytes()
    assert main([*command, "--json", "--overwrite", "--picture", str(tmp_path / "layers.svg")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (tmp_path / "layers.svg").read_bytes() == first
    rows = found["pairs"]["en-zh"]["layers"]
    assert [row["layer"] for row in rows] == [0, 1, 2, "output"]
    assert all(row["margin"] == pytest.approx(row["cosine"] - row["shuffled"]) for row in rows)
    assert all(row["interval"][0] <= row["margin"] <= row["interval"][1] for row in rows)
    best = max(range(3), key=lambda n: sum(found["pairs"][p]["layers"][n]["P@1"] for p in found["pairs"]))
    assert found["chosen"]["P@1"]["layer"] == best
    assert main([*command, "--criterion", "margin", "--picture", str(tmp_path / "layers.png")]) == 0
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_a_cosine_of_any_two_words_is_called_what_it_is(
    lexicons: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = KINDS["mean"](tmp_path / "model")
    weights = load_file(path / "model.safetensors")
    name = next(name for name in weights if name.endswith("embeddings.LayerNorm.bias"))
    weights[name] = torch.full_like(weights[name], 0.0)
    weights[name][0] = 100.0  # all vectors of layer 0 point there
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    assert main(["probe", str(path), "--lexicon", lexicons[0], "--device", "cpu"]) == 0
    assert "its vectors all point one way (anisotropy)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--picture", "layers.pdf"], "ends in .svg or .png"),
        (["--pairs", "1"], "pairs must be at least 2"),
        (["--criterion", "cosinus"], "did you mean 'cosine'?"),
        (["--lexicon", "no.tsv"], "no.tsv"),
    ],
)
def test_bad_input_is_refused(
    more: list[str], message: str, lexicons: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["probe", "nowhere", "--lexicon", lexicons[0], *more])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err
