"""Debiasing: what the map removes, and that the model with it is an ordinary one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.models.debias import DEBIAS_METHODS, append_map
from isoglot.models.debias.lsar import LSAR
from isoglot.models.load import load_model
from isoglot.records import Float32Array
from tests.models.zoo import KINDS
from tests.training.tiny import WORDS, tiny_base


def clouds(n_languages: int, width: int = 16, n: int = 200) -> dict[str, Float32Array]:
    """Points of each language about its own centre, all far from 0."""
    random = np.random.default_rng(0)
    shared = 5.0 * random.standard_normal(width)
    centres = shared + random.standard_normal((n_languages, width))
    return {
        f"l{number}": (centre + 0.3 * random.standard_normal((n, width))).astype(np.float32)
        for number, centre in enumerate(centres)
    }


def test_lsar_removes_what_tells_languages_and_keeps_what_they_share() -> None:
    vectors = clouds(5)
    matrix = LSAR().fit(vectors)
    assert np.allclose(matrix @ matrix, matrix), "a projection"
    assert np.allclose(matrix, matrix.T)
    assert np.linalg.matrix_rank(matrix) == 16 - 4, "one direction fewer than there are languages, of the ten asked for"
    means = np.stack([part.mean(axis=0, dtype=np.float64) for part in vectors.values()])
    after = means @ matrix.T
    assert np.abs(after - after[0]).max() < 1e-8, "all languages have one mean"
    assert np.linalg.norm(after[0]) > 3.0, "which is not taken away"
    assert np.linalg.matrix_rank(LSAR(rank=2).fit(vectors)) == 16 - 2


def test_lsar_finds_the_subspace_that_is_nearest_to_the_means() -> None:
    """The objective of the paper: no random subspace of the same rank leaves less of the means' differences."""
    vectors = clouds(6)
    means = np.stack([part.mean(axis=0, dtype=np.float64) for part in vectors.values()], axis=1)

    def left(matrix: np.ndarray) -> float:
        return float(np.linalg.norm(matrix @ (means - means.mean(axis=1, keepdims=True))))

    found = left(LSAR(rank=3).fit(vectors))
    random = np.random.default_rng(1)
    for _ in range(50):
        basis = np.linalg.qr(random.standard_normal((16, 3)))[0]
        assert found < left(np.eye(16) - basis @ basis.T)


def test_one_language_cannot_be_told_from_others() -> None:
    with pytest.raises(InputError, match="lsar needs texts of two languages or more, got l0"):
        LSAR().fit(clouds(1))


@pytest.mark.parametrize("name", DEBIAS_METHODS.names())
def test_a_model_with_a_map_is_saved_and_loaded_like_any_other(name: str, tmp_path: Path) -> None:
    model = load_model(str(tiny_base(tmp_path / "tiny")), device="cpu")
    texts = [" ".join(WORDS[start : start + 4]) for start in range(0, 40, 4)]
    before = model.encode_query(texts)
    matrix = DEBIAS_METHODS[name]().fit({"de": before[:5], "en": before[5:]})
    append_map(model, matrix).save_pretrained(str(tmp_path / "mapped"), create_model_card=False)
    again = load_model(str(tmp_path / "mapped"), device="cpu")
    expected = before @ matrix.T.astype(np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(again.encode_query(texts), expected, atol=1e-5)
    assert again.prompts == model.prompts


@pytest.mark.parametrize(
    ("kind", "lengths"), [("matryoshka", False), ("dot", True), ("mean", False), ("router", False)]
)
def test_a_map_keeps_what_a_model_is(kind: str, lengths: bool, tmp_path: Path) -> None:
    """Shortened vectors are mapped as they are seen; vectors that are compared by inner product keep their lengths."""
    model = load_model(str(KINDS[kind](tmp_path / kind)), device="cpu")
    texts = [" ".join(WORDS[start : start + 4]) for start in range(0, 40, 4)]
    before = model.encode_document(texts)
    matrix = DEBIAS_METHODS["lsar"]().fit({"de": before[:5], "en": before[5:]})
    append_map(model, matrix).save_pretrained(str(tmp_path / "mapped"), create_model_card=False)
    expected = before @ matrix.T.astype(np.float32)
    if not lengths:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = load_model(str(tmp_path / "mapped"), device="cpu").encode_document(texts)
    np.testing.assert_allclose(vectors, expected, atol=1e-5 * max(1.0, float(np.abs(expected).max())))
