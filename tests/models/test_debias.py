"""Debiasing: each method by hand and against its paper's formula, and that the model with it is an ordinary one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.models.debias import DEBIAS_METHODS, EVERY, Correction, Sample
from isoglot.models.debias.centring import Centring
from isoglot.models.debias.lir import LIR
from isoglot.models.debias.lsar import LSAR
from isoglot.models.debias.shift import Shift
from isoglot.models.language_maps import MAPS_FILE, SIDES, LanguageMaps, Side, Teller, fit_tellers
from isoglot.models.load import load_model
from isoglot.models.mapped import append_maps, has_unit_vectors, routed_languages
from isoglot.records import Float32Array
from isoglot.retrieval.encode import encode_texts
from isoglot.retrieval.length_batches import is_plain
from tests.models.zoo import KINDS
from tests.training.tiny import WORDS, tiny_base

TEXTS = [" ".join(WORDS[start : start + 4]) for start in range(0, 120, 4)]


def sample(*rows: list[float], pairs: list[int] | None = None) -> Sample:
    return Sample(np.array(rows, dtype=np.float32), np.array(pairs or range(len(rows)), dtype=np.int64))


def clouds(n_languages: int, width: int = 16, n: int = 200) -> dict[str, Sample]:
    """Points of each language about its own centre, all far from 0."""
    random = np.random.default_rng(0)
    shared = 5.0 * random.standard_normal(width)
    centres = shared + random.standard_normal((n_languages, width))
    return {
        f"l{number}": Sample((centre + 0.3 * random.standard_normal((n, width))).astype(np.float32), np.arange(n))
        for number, centre in enumerate(centres)
    }


def matrix_of(correction: Correction) -> np.ndarray:
    return np.eye(len(correction.offset)) - correction.directions @ correction.directions.T


def test_lsar_removes_what_tells_languages_and_keeps_what_they_share() -> None:
    samples = clouds(5)
    matrix = matrix_of(LSAR().fit(samples)[EVERY])
    assert np.allclose(matrix @ matrix, matrix), "a projection"
    assert np.linalg.matrix_rank(matrix) == 16 - 4, "one direction fewer than there are languages, of the ten asked for"
    means = np.stack([own.vectors.mean(axis=0, dtype=np.float64) for own in samples.values()])
    after = means @ matrix.T
    assert np.abs(after - after[0]).max() < 1e-8, "all languages have one mean"
    assert np.linalg.norm(after[0]) > 3.0, "which is not taken away"
    assert np.linalg.matrix_rank(matrix_of(LSAR(rank=2).fit(samples)[EVERY])) == 16 - 2


def test_lsar_finds_the_subspace_that_is_nearest_to_the_means() -> None:
    """The objective of the paper: no random subspace of the same rank leaves less of the means' differences."""
    samples = clouds(6)
    means = np.stack([own.vectors.mean(axis=0, dtype=np.float64) for own in samples.values()], axis=1)

    def left(matrix: np.ndarray) -> float:
        return float(np.linalg.norm(matrix @ (means - means.mean(axis=1, keepdims=True))))

    found = left(matrix_of(LSAR(rank=3).fit(samples)[EVERY]))
    random = np.random.default_rng(1)
    for _ in range(50):
        basis = np.linalg.qr(random.standard_normal((16, 3)))[0]
        assert found < left(np.eye(16) - basis @ basis.T)


def test_lsar_by_hand() -> None:
    """Means (1, 1, 0) and (1, -1, 0): the second axis tells them apart, the first is shared."""
    samples = {"de": sample([1, 2, 0], [1, 0, 0]), "en": sample([1, -2, 0], [1, 0, 0])}
    assert np.allclose(matrix_of(LSAR().fit(samples)[EVERY]), np.diag([1, 0, 1]))


def test_centring_by_hand() -> None:
    samples = {"de": sample([1, 0], [3, 2]), "en": sample([0, 4])}
    maps = LanguageMaps({"query": Centring().fit(samples)}, 1.0)
    assert maps.apply(samples["de"].vectors, "query", "de", unit=False).tolist() == [[-1, -1], [1, 1]]
    half = LanguageMaps(maps.sides, 0.5)
    assert half.apply(samples["en"].vectors, "query", "en", unit=False).tolist() == [[0, 2]]
    assert half.apply(samples["en"].vectors, "passage", "en", unit=False).tolist() == [[0, 4]], "no map of that side"


def test_lir_by_hand_and_by_the_singular_vectors_of_uncentred_embeddings() -> None:
    # all German vectors lie along (3, 4): centred, nothing would be left of them to decompose; uncentred, it is the direction
    samples = {"de": sample([3, 4], [3, 4], [6, 8]), "en": sample([1, 0], [2, 0], [3, 1e-3])}
    corrections = LIR().fit(samples)
    assert np.allclose(np.abs(corrections["de"].directions[:, 0]), [0.6, 0.8])
    maps = LanguageMaps({"query": corrections}, 1.0)
    removed = maps.apply(np.array([[4, 3]], dtype=np.float32), "query", "de", unit=False)
    assert np.allclose(removed, [[4 - 24 / 25 * 3, 3 - 24 / 25 * 4]])
    big = clouds(3)
    for lang, own in big.items():
        _, _, right = np.linalg.svd(own.vectors.astype(np.float64), full_matrices=False)
        expected = np.eye(16) - right[:2].T @ right[:2]
        assert np.allclose(matrix_of(LIR(directions=2).fit(big)[lang]), expected)


def test_shift_by_hand_over_the_pairs_in_common() -> None:
    samples = {
        "de": sample([5, 1], [7, 1], [100, 100], pairs=[1, 2, 9]),
        "en": sample([1, 1], [1, 2], [50, 50], pairs=[2, 1, 8]),
    }
    corrections = Shift().fit(samples)
    assert corrections["de"].offset.tolist() == [5, -0.5], "mean of (5, 1) - (1, 2) and (7, 1) - (1, 1)"
    assert corrections["en"].offset.tolist() == [0, 0]
    maps = LanguageMaps({"passage": corrections}, 0.5)
    assert maps.apply(samples["de"].vectors[:1], "passage", "de", unit=False).tolist() == [[2.5, 1.25]]


def test_what_cannot_be_fitted_is_refused() -> None:
    for name in DEBIAS_METHODS.names():
        with pytest.raises(InputError, match=f"{name} needs texts of two languages or more, got l0"):
            DEBIAS_METHODS[name]().fit(clouds(1))
    with pytest.raises(InputError, match="no texts in the source language fr"):
        Shift(source="fr").fit(clouds(2))
    apart = {"de": sample([1, 2], pairs=[1]), "en": sample([1, 2], pairs=[2])}
    with pytest.raises(InputError, match="no text in de is a translation of one in en"):
        Shift().fit(apart)
    with pytest.raises(InputError, match="lir: 2 directions of 1 texts in de"):
        LIR(directions=2).fit(apart)


def test_the_teller_knows_clouds_and_says_how_well() -> None:
    samples = clouds(4)
    tellers, shares = fit_tellers({"query": samples})
    assert shares == {"query": 1.0}
    for number, own in enumerate(samples.values()):
        assert (tellers["query"].tell(own.vectors) == number).all()
    random = np.random.default_rng(3)
    alike = {lang: Sample(random.standard_normal((400, 4)).astype(np.float32), np.arange(400)) for lang in ("a", "b")}
    assert 0.4 < fit_tellers({"query": alike})[1]["query"] < 0.6, "measured on what it was not fitted on"


def vectors_by_language(before: Float32Array) -> dict[str, Sample]:
    third = len(before) // 3
    return {
        lang: Sample(before[i * third : (i + 1) * third], np.arange(third)) for i, lang in enumerate(("de", "en", "zh"))
    }


def fitted(name: str, samples: dict[str, dict[str, Sample]], strength: float, sides: str = "apart") -> LanguageMaps:
    own_settings = {"source": next(iter(samples["query"]))} if name == "shift" else {}
    method = DEBIAS_METHODS[name](**own_settings)
    if sides == "together":
        own = dict.fromkeys(SIDES, method.fit(samples["query"]))
    else:
        own = {side: method.fit(samples[side]) for side in SIDES if sides == "apart" or side == "passage"}
    return LanguageMaps(own, strength, fit_tellers(samples)[0] if method.per_language else {})


def without_doubt(maps: LanguageMaps, vectors: Float32Array, side: Side = "passage") -> np.ndarray:
    """Rows whose language is told clearly: where two are as likely, layers take some of both."""
    if side not in maps.tellers:
        return np.arange(len(vectors))
    logits = np.sort(vectors @ maps.tellers[side].weight.T + maps.tellers[side].bias, axis=1)
    return np.flatnonzero(logits[:, -1] - logits[:, -2] > 1)


@pytest.mark.parametrize("sides", ["apart", "together", "passages"])
@pytest.mark.parametrize("name", DEBIAS_METHODS.names())
def test_a_saved_model_gives_the_corrected_vectors(name: str, sides: str, tmp_path: Path) -> None:
    model = load_model(str(tiny_base(tmp_path / "tiny")), device="cpu")
    before = {side: encode_texts(model, TEXTS, side, progress=False) for side in SIDES}
    maps = fitted(name, {side: vectors_by_language(own) for side, own in before.items()}, 0.75, sides)
    append_maps(model, maps).save_pretrained(str(tmp_path / "mapped"), create_model_card=False)
    again = load_model(str(tmp_path / "mapped"), device="cpu")
    assert again.prompts == model.prompts
    assert is_plain(again)
    routed = {"de", "en", "zh"} if DEBIAS_METHODS[name].per_language else set()
    assert routed_languages(again) == routed
    for side, encode in (("query", again.encode_query), ("passage", again.encode_document)):
        sure = without_doubt(maps, before[side], side)
        assert len(sure) > 10
        np.testing.assert_allclose(encode(TEXTS)[sure], maps.apply(before[side], side, None)[sure], atol=2e-5)
        languages = ["de", "en", "zh"] * 10
        expected = [maps.apply(before[side][row : row + 1], side, lang)[0] for row, lang in enumerate(languages)]
        given = encode_texts(again, TEXTS, side, progress=False, languages=languages)
        np.testing.assert_allclose(given, expected, atol=2e-5)
    if routed and sides != "passages":
        told = again.encode(TEXTS, task="query-de", prompt_name="query")
        np.testing.assert_allclose(told, maps.apply(before["query"], "query", "de"), atol=2e-5)


def test_a_text_has_a_vector_for_each_language_and_none_is_made_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_model(str(tiny_base(tmp_path / "tiny")), device="cpu")
    samples = vectors_by_language(model.encode_query(TEXTS))
    append_maps(model, fitted("centring", {"query": samples, "passage": samples}, 1.0))
    twice = encode_texts(model, [TEXTS[0]] * 3, "query", progress=False, languages=["de", "en", "de"])
    assert (twice[0] == twice[2]).all()
    assert np.abs(twice[0] - twice[1]).max() > 1e-3
    capsys.readouterr()
    unknown = encode_texts(model, TEXTS[:2], "query", progress=False, languages=["sw", "sw"])
    np.testing.assert_allclose(unknown, model.encode_query(TEXTS[:2]), atol=1e-4)
    assert capsys.readouterr().err.count("was debiased without texts in sw") == 1


def test_the_vectors_that_are_corrected_stay_as_they_are(tmp_path: Path) -> None:
    samples = vectors_by_language(np.eye(12, dtype=np.float32))
    maps = fitted("centring", {"query": samples, "passage": samples}, 1.0)
    given = np.memmap(tmp_path / "vectors", dtype=np.float64, mode="w+", shape=(3, 12))
    given[:] = np.eye(3, 12)
    assert not np.allclose(maps.apply(given, "query", "de"), np.eye(3, 12))
    assert np.array_equal(given, np.eye(3, 12))


def test_the_saved_model_needs_nothing_of_ours(tmp_path: Path) -> None:
    model = load_model(str(tiny_base(tmp_path / "tiny")), device="cpu")
    before = encode_texts(model, TEXTS, "query", progress=False)
    samples = vectors_by_language(before)
    maps = fitted("lir", {"query": samples, "passage": samples}, 1.0)
    append_maps(model, maps).save_pretrained(str(tmp_path / "mapped"), create_model_card=False)
    code = (
        "import sys, numpy as np; from sentence_transformers import SentenceTransformer\n"
        f"model = SentenceTransformer({str(tmp_path / 'mapped')!r}, device='cpu')\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, model.encode_query({TEXTS!r}))\n"
        "assert not [name for name in sys.modules if name.startswith('isoglot')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)
    sure = without_doubt(maps, before, "query")
    assert len(sure) > 10
    found = np.load(tmp_path / "out.npy")
    np.testing.assert_allclose(found[sure], maps.apply(before, "query", None)[sure], atol=2e-5)


@pytest.mark.parametrize("name", ["lsar", "lir", "shift"])
@pytest.mark.parametrize("kind", ["matryoshka", "dot", "mean", "router"])
def test_a_map_keeps_what_a_model_is(kind: str, name: str, tmp_path: Path) -> None:
    """Shortened vectors are mapped as they are seen; vectors that are compared by inner product keep their lengths."""
    model = load_model(str(KINDS[kind](tmp_path / kind)), device="cpu")
    before, unit = encode_texts(model, TEXTS, "passage", progress=False), has_unit_vectors(model)
    assert unit == (kind != "dot")
    samples = vectors_by_language(before)
    maps = fitted(name, {"query": samples, "passage": samples}, 1.0)
    append_maps(model, maps).save_pretrained(str(tmp_path / "mapped"), create_model_card=False)
    again = load_model(str(tmp_path / "mapped"), device="cpu")
    expected, sure = maps.apply(before, "passage", None, unit=unit), without_doubt(maps, before)
    assert len(sure) > 4
    atol = 3e-5 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(again.encode_document(TEXTS)[sure], expected[sure], atol=atol)
    given = encode_texts(again, TEXTS, "passage", progress=False, languages=["en"] * len(TEXTS))
    np.testing.assert_allclose(given, maps.apply(before, "passage", "en", unit=unit), atol=atol)


def test_maps_are_read_as_they_were_written(tmp_path: Path) -> None:
    samples = clouds(3)
    for name in DEBIAS_METHODS.names():
        maps = fitted(name, {"query": samples, "passage": samples}, 0.3)
        maps.save(tmp_path, {"method": {"name": name}})
        again = LanguageMaps.load(tmp_path)
        assert (again.strength, again.languages, again.is_together) == (0.3, maps.languages, True)
        for lang in ("l0", "l2", None):
            own = samples["l1"].vectors
            np.testing.assert_allclose(again.apply(own, "query", lang), maps.apply(own, "query", lang), atol=1e-6)
    (tmp_path / MAPS_FILE).write_bytes((tmp_path / MAPS_FILE).read_bytes()[:-8])
    with pytest.raises(InputError, match=r"debias\.safetensors: not what isoglot debias wrote"):
        LanguageMaps.load(tmp_path)
    with pytest.raises(InputError, match=r"holds no debias\.safetensors"):
        LanguageMaps.load(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"vectors of shape \(1, 3\); these maps take \(n, 16\)"):
        maps.apply(np.zeros((1, 3), dtype=np.float32), "query", "l0")


def test_linear_discriminants_by_hand() -> None:
    """Two languages with means (+-1, 0) and the same spread on both axes: the first axis decides, at 0."""
    spread = [(x, y) for x in (-0.1, 0.1) for y in (-0.1, 0.1)]
    samples = {lang: sample(*([mean + x, y] for x, y in spread)) for lang, mean in (("a", 1), ("b", -1))}
    teller = Teller.fit(samples)
    assert np.allclose(teller.bias, -50, rtol=1e-5), "-1/2 x 1 / .1^2 for both, so they do not decide"
    assert np.allclose(teller.weight[:, 1], 0, atol=1e-5)
    assert np.allclose(teller.weight[:, 0], [100, -100], rtol=1e-5), "1 / .1^2"


def test_a_smaller_vocabulary_keeps_the_maps_and_a_mean_of_maps_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from isoglot.cli.main import main
    from isoglot.models.language_maps import read_record
    from tests.models.test_prune import _texts, wordpiece

    mapped, small, texts = tmp_path / "mapped", tmp_path / "small", _texts(30, seed=1)
    model = load_model(str(wordpiece(tmp_path / "base")), device="cpu")
    samples = vectors_by_language(encode_texts(model, texts, "query", progress=False))
    maps = fitted("lir", dict.fromkeys(SIDES, samples), 1.0)
    append_maps(model, maps).save_pretrained(str(mapped), create_model_card=False)
    maps.save(mapped, {"method": {"name": "lir"}, "fit": ["bench"], "transductive": ["bench"]})
    (tmp_path / "used.txt").write_text("\n".join(texts))
    assert main(["model", "prune", str(mapped), "--corpus", str(tmp_path / "used.txt"), "--output", str(small)]) == 0
    assert read_record(small) == read_record(mapped)
    assert (small / MAPS_FILE).read_bytes() == (mapped / MAPS_FILE).read_bytes()
    vectors = [
        encode_texts(load_model(str(path), device="cpu"), texts, "query", progress=False, languages=["de"] * 30)
        for path in (mapped, small)
    ]
    np.testing.assert_allclose(*vectors, atol=1e-6)
    assert main(["model", "average", str(mapped), str(small), "--output", str(tmp_path / "mean")]) == 2
    assert "debiased, and a mean of corrections is none" in capsys.readouterr().err
    assert not (tmp_path / "mean").exists()
